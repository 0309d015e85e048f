"""feedd: a realtime social feed for any website."""

__version__ = "0.1.0"
