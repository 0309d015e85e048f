"""Values and rules of a feed, without clock, socket, log or Twisted."""
