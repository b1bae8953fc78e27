"""Tensors: the backbone, grounding, training and evaluation.

Never touches the store or the terminal. Importing this package imports nothing
heavy; each module loads torch or transformers only when it needs them.
"""
