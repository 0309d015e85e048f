"""What feedd is about, as values and rules: pure, without clock, socket, log or Twisted."""
