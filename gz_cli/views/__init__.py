"""What a person or a program sees; ``render`` is the only module that prints."""
