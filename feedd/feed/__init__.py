"""The order of things: which port is called when. It knows neither Twisted nor a driver."""
