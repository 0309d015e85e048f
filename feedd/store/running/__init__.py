"""How queries run: a queue before threads with a connection each, and group commit on both."""
