"""Sound to words: where somebody speaks, and what is said there, by models on this machine."""
