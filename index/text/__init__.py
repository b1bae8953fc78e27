"""Text that belongs to a video: subtitles, transcripts and chapters, read from bytes.

Nothing here opens a file or knows of a container; whoever has the bytes hands them over.
"""
