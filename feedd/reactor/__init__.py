"""Parts for any Twisted server: they know the reactor, and nothing of a feed."""
