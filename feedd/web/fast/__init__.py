"""The fast way of a long poll: recognised in one read, answered with one send."""
