"""From folders of files to a library: scanning, turns, passes, and the check of it."""
