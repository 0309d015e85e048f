"""Tests against real servers, which `servers` starts."""
