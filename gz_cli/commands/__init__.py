"""One file a command: what it accepts, and what it calls."""
