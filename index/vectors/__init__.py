"""Nearest frames; the only room with FAISS, whose files can be thrown away."""
