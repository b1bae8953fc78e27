"""Moments into files: cut to the frame or copied, verified, with a manifest."""
