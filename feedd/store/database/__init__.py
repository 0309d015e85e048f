"""The databases: how each is reached, what each does in its own way, and twistar over them."""
