"""The endpoints, a URL or a few in each module."""
