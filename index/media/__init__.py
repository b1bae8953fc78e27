"""Containers and packets, with exact times; ``container`` alone opens media files."""
