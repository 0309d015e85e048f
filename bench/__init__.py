"""Measurements of feedd, against the floor that the kernel sets and against its peers."""
