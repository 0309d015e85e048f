"""
The authenticators, one for each ``auth.mode``, and the key of the site's own servers.

No credential ever stands in an error or a log line.
"""
