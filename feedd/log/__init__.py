"""The services that follow the log: they open it, read its new end, prune it."""
