"""The ringer on servers of its own: how late, what is lost when it is harmed, and what it costs."""
