"""
Friend lists, in this process or in memcached.

`LocalFriends` and `CachedFriends` implement `feedd.feed.ports.Friends`. All that knows memcached is
in this folder; it does not know where friend lists come from: a load is a callable.
"""
