"""Pictures to lines of text, with models that come with a package and never from a network."""
