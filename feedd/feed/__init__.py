"""The order of things: which port is asked when. Pure; the ports are what the world must offer."""
