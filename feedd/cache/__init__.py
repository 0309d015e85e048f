"""
Friend lists, in this process or in memcached.

`LocalFriends`, `CachedFriends` and `SiteFriends` (lists that the site writes) implement
`feedd.feed.ports.Friends`; they load lists that they do not have with a callable, many at once.
`formats` reads a list, `ring` spreads keys over the memcached servers, `server` is one of them,
`connection` one of its connections, `deletions` what it still has to delete.
"""
