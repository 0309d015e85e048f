"""One contract suite per port, as mixins; every implementation runs it."""
