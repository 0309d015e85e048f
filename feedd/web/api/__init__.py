"""The endpoints; each module is named after its URL."""
