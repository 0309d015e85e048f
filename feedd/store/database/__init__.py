"""The databases: how each is reached and what each does in its own way."""
