"""Frames at a steady step, decoded in processes of their own."""
