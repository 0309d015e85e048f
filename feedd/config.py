"""
TOML text -> one frozen Config, or all its mistakes at once.

This module knows every setting, its default and its limits. It does not read files and does not know the parts it configures.
"""

import re
import tomllib
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(ge=0.01, le=86400)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]

_SCHEMES = {
    "store": ("sqlite", "mysql", "mysqls"),
    "broker": ("local", "amqp", "amqps"),
    "cache": ("local", "memcached"),
}


class BadConfig(ValueError):
    """The configuration cannot be used; `mistakes` says everything that is wrong, a sentence each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class HTTP(_Section, frozen=True):
    """Where browsers and the site's servers connect. `listen` are Twisted server endpoint strings."""

    listen: tuple[str, ...] = ("tcp:8080:interface=127.0.0.1",)
    allowed_origins: tuple[str, ...] = ()
    max_body_bytes: Annotated[int, Meta(ge=1024, le=16_777_216)] = 65_536
    max_connections: Count = 20_000
    request_seconds: Seconds = 15.0
    reuse_port: bool = False
    fast_lane: bool = True


class Poll(_Section, frozen=True):
    """How long polls are held and subscriptions kept."""

    hold_seconds: Seconds = 50.0
    linger_seconds: Seconds = 60.0
    max_pending: Count = 200
    max_subscriptions: Count = 100_000
    recent_events: Count = 10_000


class Auth(_Section, frozen=True):
    """Who is asking."""

    mode: str = "demo"
    secret_file: str = ""
    cookie: str = "feedd_token"
    backend_key_file: str = ""
    url: str = ""
    cache_seconds: Annotated[float, Meta(ge=0, le=3600)] = 5.0
    timeout_seconds: Seconds = 3.0


class Store(_Section, frozen=True):
    """The database."""

    url: str = "sqlite:feedd.sqlite"
    password_file: str = ""
    settle_seconds: Annotated[float, Meta(ge=0, le=3600)] = 5.0
    tail_seconds: Seconds = 1.0
    threads: Annotated[int, Meta(ge=1, le=200)] = 10
    max_waiting: Count = 500
    query_seconds: Seconds = 4.0
    keep_days: Annotated[float, Meta(ge=0, le=36_500)] = 7.0
    migrate: bool = True


class Broker(_Section, frozen=True):
    """The bell."""

    url: str = "local:"
    password_file: str = ""
    exchange: str = "{user}_feedExchange"
    shards: Annotated[int, Meta(ge=1, le=65_536)] = 256
    linger_seconds: Seconds = 60.0
    heartbeat_seconds: Annotated[int, Meta(ge=0, le=600)] = 10
    timeout_seconds: Seconds = 5.0
    queue_length: Count = 10_000


class Cache(_Section, frozen=True):
    """Friend lists."""

    url: str = "local:"
    friends_key: str = "feedd:friends:{user}"
    friends_seconds: Annotated[int, Meta(ge=1, le=2_592_000)] = 300
    timeout_seconds: Seconds = 0.5
    connections: Annotated[int, Meta(ge=1, le=64)] = 2
    max_entries: Count = 100_000
    max_waiting: Count = 20_000


class Config(_Section, frozen=True):
    """Every setting; the default is the embedded daemon."""

    http: HTTP = HTTP()
    poll: Poll = Poll()
    auth: Auth = Auth()
    store: Store = Store()
    broker: Broker = Broker()
    cache: Cache = Cache()


SECTIONS: dict[str, type[_Section]] = {
    "http": HTTP,
    "poll": Poll,
    "auth": Auth,
    "store": Store,
    "broker": Broker,
    "cache": Cache,
}


def parse_config(text: str) -> Config:
    """
    The configuration that `text` (TOML) spells; what it leaves out has its default.

    :raises BadConfig: with every mistake in it.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig([f"not TOML: {error}"]) from None
    mistakes: list[str] = [f"[{name}] is not a section" for name in tables if name not in SECTIONS]
    sections = {name: _section(name, tables.get(name, {}), mistakes) for name in SECTIONS}
    config: Config = msgspec.structs.replace(Config(), **sections)
    mistakes += _contradictions(config)
    if mistakes:
        raise BadConfig(mistakes)
    return config


def is_loopback(endpoint: str) -> bool:
    """
    Whether a Twisted server endpoint string listens where only this machine can reach it.

    Twisted unescapes the words between the colons, and of an argument that is given twice takes the last.
    """
    if endpoint.startswith("unix:"):
        return True
    words = (re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|[^:\\])+", endpoint))
    interfaces = [word.removeprefix("interface=") for word in words if word.startswith("interface=")]
    return bool(interfaces) and all(i == "::1" or re.fullmatch(r"127(\.[0-9]{1,3}){3}", i) for i in interfaces)


def _section(name: str, table: Any, mistakes: list[str]) -> _Section:
    """One section, field by field, so that one mistake does not hide the next."""
    kind = SECTIONS[name]
    if not isinstance(table, dict):
        mistakes.append(f"[{name}] must be a table")
        return kind()
    values: dict[str, Any] = {}
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in table.items():
        if key not in fields:
            mistakes.append(f"{name}.{key} is not a setting")
            continue
        try:
            values[key] = msgspec.convert(value, fields[key])
        except msgspec.ValidationError as error:
            mistakes.append(f"{name}.{key}: {error}")
    return kind(**values)


def _contradictions(config: Config) -> list[str]:
    mistakes = [
        f"{part}.url must start with one of {', '.join(scheme + ':' for scheme in schemes)}"
        for part, schemes in _SCHEMES.items()
        if getattr(config, part).url.partition(":")[0] not in schemes
    ]
    mistakes += _auth_contradictions(config)
    if not config.http.listen:
        mistakes.append("http.listen names no endpoint")
    if config.http.reuse_port and not all(endpoint.startswith(("tcp:", "tcp6:")) for endpoint in config.http.listen):
        mistakes.append("http.reuse_port is for listeners of the form tcp:… or tcp6:… only")
    for origin in config.http.allowed_origins:
        if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", origin):
            mistakes.append(f"http.allowed_origins: {origin!r} is not of the form https://www.example.org")
    if ("{user}" in config.broker.exchange) == ("{shard}" in config.broker.exchange):
        mistakes.append("broker.exchange must hold either {user} or {shard}")
    if "{user}" not in config.cache.friends_key:
        mistakes.append("cache.friends_key must hold {user}")
    return mistakes


def _auth_contradictions(config: Config) -> list[str]:
    auth, mistakes = config.auth, []
    if auth.mode not in ("token", "http", "demo"):
        mistakes.append("auth.mode must be token, http or demo")
    if auth.mode == "token" and not auth.secret_file:
        mistakes.append("auth.secret_file is needed when auth.mode is token")
    if auth.mode == "http" and not re.match(r"https?://", auth.url):
        mistakes.append("auth.url must be an http or https URL when auth.mode is http")
    if auth.mode == "demo" and not all(map(is_loopback, config.http.listen)):
        mistakes.append("auth.mode demo is refused unless every listener is on loopback")
    return mistakes
