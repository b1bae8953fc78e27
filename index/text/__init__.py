"""Text: what belongs to a video, subtitles, transcripts, chapters, and how text is written.

Nothing here opens a file or knows of a container; whoever has the bytes hands them over.
"""
