"""The vectors of a window and a query's words to scored spans."""
