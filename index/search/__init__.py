"""From a sentence to moments: retrieval, localizing, a second look at the edges."""
