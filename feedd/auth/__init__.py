"""
Who is asking: a token, the site's own session, or in the demo whoever they say they are.

Implementations of `feedd.feed.ports.Authenticator`, and the key of the site's own servers. Nothing
here knows HTTP requests of ours (`feedd.feed.ports.Credentials` is what it sees of one), users'
data or events; no credential ever stands in an error or a log line.
"""
