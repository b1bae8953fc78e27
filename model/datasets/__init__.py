"""Annotations, features and windows: what a grounding model learns from."""
