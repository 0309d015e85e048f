"""Measurements of a running feedd; nothing here is installed."""
