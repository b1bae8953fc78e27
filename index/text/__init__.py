"""What is said and shown in words: from files, from streams, from the screen."""
