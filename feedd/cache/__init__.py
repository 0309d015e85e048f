"""
Friend lists, in this process or in memcached.

`LocalFriends` and `CachedFriends` implement `feedd.feed.ports.Friends`; both load lists that they
do not have with a callable, many at once. `ring` spreads keys over the memcached servers, `server`
is one of them, `connection` one of its connections, `deletions` what it still has to delete.
"""
