"""The library on disk, the only truth; the only room that speaks SQL."""
