"""Where a model's files are, how they are fetched, and how weights are read."""
