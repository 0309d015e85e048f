"""What follows the log: opening it, reading its new end, pruning it."""
