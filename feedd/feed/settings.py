"""
The settings: a frozen struct for each section of the configuration, with defaults, units and
limits. A part of the house takes the struct of its own section.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from feedd.core.sizes import RECENT_BYTES

Seconds = Annotated[float, Meta(ge=0.01, le=86400)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]


class BadConfig(ValueError):
    """
    The configuration cannot be used.

    :ivar mistakes: everything that is wrong with it, a sentence each.
    """

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of the configuration."""


class HTTP(Section, frozen=True):
    """
    The addresses for browsers and the site's servers, and the limits of their requests.

    :ivar listen: Twisted server endpoint strings.
    :ivar fast_lane: whether polls take the fast channel.
    """

    listen: tuple[str, ...] = ("tcp:8080:interface=127.0.0.1",)
    allowed_origins: tuple[str, ...] = ()
    max_body_bytes: Annotated[int, Meta(ge=1024, le=16_777_216)] = 65_536
    max_connections: Count = 20_000
    request_seconds: Seconds = 15.0
    reuse_port: bool = False
    fast_lane: bool = True


class Poll(Section, frozen=True):
    """The long polls: how long they are held, and how much is kept for them."""

    hold_seconds: Seconds = 50.0
    linger_seconds: Seconds = 60.0
    max_pending: Count = 200
    max_subscriptions: Count = 100_000
    per_user: Count = 100
    recent_events: Count = 10_000
    recent_bytes: Annotated[int, Meta(ge=1_048_576, le=1_000_000_000_000)] = RECENT_BYTES


class Auth(Section, frozen=True):
    """The proof of who a user is."""

    mode: str = "demo"
    secret_file: str = ""
    cookie: str = "feedd_token"
    audience: str = ""
    leeway_seconds: Annotated[float, Meta(ge=0, le=3600)] = 30.0
    max_token_seconds: Annotated[float, Meta(gt=0, le=3_153_600_000)] = 86_400.0
    backend_key_file: str = ""
    url: str = ""
    cache_seconds: Annotated[float, Meta(ge=0, le=3600)] = 5.0
    timeout_seconds: Seconds = 3.0


class Store(Section, frozen=True):
    """The database."""

    url: str = "sqlite:feedd.sqlite"
    password_file: str = ""
    settle_seconds: Annotated[float, Meta(ge=0, le=3600)] = 5.0
    multi_writer: bool = False
    tail_seconds: Seconds = 1.0
    ring_seconds: Annotated[float, Meta(ge=0, le=0.5)] = 0.02
    threads: Annotated[int, Meta(ge=1, le=200)] = 10
    max_waiting: Count = 500
    waiting_of_user: Count = 50
    query_seconds: Seconds = 4.0
    keep_days: Annotated[float, Meta(ge=0, le=36_500)] = 7.0
    migrate: bool = True


class Broker(Section, frozen=True):
    """The bell: RabbitMQ, or nothing when there is one process only."""

    url: str = "local:"
    password_file: str = ""
    exchange: str = "{user}_feedExchange"
    shards: Annotated[int, Meta(ge=1, le=65_536)] = 256
    linger_seconds: Seconds = 60.0
    heartbeat_seconds: Annotated[int, Meta(ge=0, le=600)] = 10
    timeout_seconds: Seconds = 5.0
    queue_length: Count = 10_000


class Cache(Section, frozen=True):
    """
    The cache of friend lists.

    :ivar friends_format: "json", "php" or "comma".
    :ivar friends_writer: "feedd", which then fills and deletes the keys, or "site".
    """

    url: str = "local:"
    friends_key: str = "feedd:friends:{user}"
    friends_format: str = "json"
    friends_writer: str = "feedd"
    friends_seconds: Annotated[int, Meta(ge=1, le=2_592_000)] = 300
    timeout_seconds: Seconds = 0.5
    connections: Annotated[int, Meta(ge=1, le=64)] = 2
    max_entries: Count = 100_000
    max_waiting: Count = 20_000


class Config(Section, frozen=True):
    """Every setting; the default is the embedded daemon."""

    http: HTTP = HTTP()
    poll: Poll = Poll()
    auth: Auth = Auth()
    store: Store = Store()
    broker: Broker = Broker()
    cache: Cache = Cache()
