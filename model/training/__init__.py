"""Training: the loop, losses, presets, finishing, and the card of what came out."""
