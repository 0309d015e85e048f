"""The tree of URLs: each endpoint is put in its place here."""

from collections.abc import Mapping
from typing import Any

from feedd.core.hub import Hub
from feedd.feed.ports import Store
from feedd.feed.posting import Posting
from feedd.feed.reading import Reading
from feedd.web.api.files import FileEndpoint
from feedd.web.api.friends import FriendsEndpoint
from feedd.web.api.friendships import BlocksEndpoint, FriendshipsEndpoint
from feedd.web.api.init import InitEndpoint
from feedd.web.api.marker import MarkerEndpoint, UserMarkerEndpoint
from feedd.web.api.posts import AuthoredPostsEndpoint, PostsEndpoint
from feedd.web.api.sessions import SessionsEndpoint
from feedd.web.endpoint import Endpoint, Folder, Nothing, Users
from feedd.web.gate import Gate


def make_root(
    gate: Gate,
    reading: Reading,
    posting: Posting,
    store: Store,
    hub: Hub,
    poll: Endpoint,
    status: Endpoint,
    files: Mapping[str, bytes],
) -> Folder:
    """
    The whole tree of URLs.

    :param files: static files at the root by name; ``index.html`` is ``/`` itself.
    """
    nothing = Nothing(gate)
    feed = {
        b"init": InitEndpoint(gate, reading),
        b"poll": poll,
        b"posts": PostsEndpoint(gate, posting),
        b"friends": FriendsEndpoint(gate, reading),
        b"marker": MarkerEndpoint(gate, store),
    }
    api = {
        b"blocks": BlocksEndpoint(gate, posting),
        b"friendships": FriendshipsEndpoint(gate, posting),
        b"markers": Users(gate, lambda user: UserMarkerEndpoint(gate, store, user)),
        b"posts": AuthoredPostsEndpoint(gate, posting),
        b"sessions": Users(gate, lambda user: SessionsEndpoint(gate, posting, hub, user)),
    }
    root: dict[bytes, Any] = {
        b"feed": Folder(nothing, feed),
        b"api": Folder(nothing, api),
        b"status": status,
    }
    for name, content in files.items():
        root[b"" if name == "index.html" else name.encode("ascii")] = FileEndpoint(
            gate, name, content
        )
    return Folder(nothing, root)
