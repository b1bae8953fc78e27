"""Texts that people already have: subtitles, transcripts, depositions, chapters."""
