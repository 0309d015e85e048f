"""The queries, a module for each table."""
