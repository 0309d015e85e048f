"""Tests without sockets: a Clock and strings only."""
