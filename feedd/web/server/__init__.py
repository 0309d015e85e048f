"""The HTTP server: twisted.web, bounded in number, size and time."""
