"""
The configuration file and the files of secrets that it names: TOML text becomes one frozen Config,
or a list of all its mistakes.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from feedd.feed.settings import HTTP, Auth, BadConfig, Broker, Cache, Config, Poll, Section, Store

_SCHEMES = {
    "store": ("sqlite", "mysql", "mysqls"),
    "broker": ("local", "amqp", "amqps"),
    "cache": ("local", "memcached"),
}

LEAST_RING_SECONDS = 0.002
"""Looks at the log must leave time for something else."""

SECTIONS: dict[str, type[Section]] = {
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


def load_config(path: str | None) -> Config:
    """
    The configuration in the file at `path`; the embedded default when there is none.

    :raises BadConfig: when it cannot be read or used.
    """
    if path is None:
        return Config()
    try:
        return parse_config(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig([f"{path}: {error}"]) from None


def read_secret(path: str) -> str:
    """
    The stripped content of a secret file, "" when `path` is "".

    :raises BadConfig: when it cannot be read or is empty; the text names the file, never the
        content.
    """
    if not path:
        return ""
    try:
        secret = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig([f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8'}"]) from None
    if not secret:
        raise BadConfig([f"{path}: empty"])
    return secret


def is_loopback(endpoint: str) -> bool:
    """
    Whether a Twisted server endpoint string listens where only this machine can reach it.

    Twisted unescapes the words between the colons, and of an argument that is given twice takes the
    last.
    """
    if endpoint.startswith("unix:"):
        return True
    words = (re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|[^:\\])+", endpoint))
    interfaces = [
        word.removeprefix("interface=") for word in words if word.startswith("interface=")
    ]
    return bool(interfaces) and all(
        i == "::1" or re.fullmatch(r"127(\.[0-9]{1,3}){3}", i) for i in interfaces
    )


def _section(name: str, table: Any, mistakes: list[str]) -> Section:
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
    if config.http.reuse_port and not all(
        endpoint.startswith(("tcp:", "tcp6:")) for endpoint in config.http.listen
    ):
        mistakes.append("http.reuse_port is for listeners of the form tcp:… or tcp6:… only")
    for origin in config.http.allowed_origins:
        if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", origin):
            mistakes.append(
                f"http.allowed_origins: {origin!r} is not of the form https://www.example.org"
            )
    if 0 < config.store.ring_seconds < LEAST_RING_SECONDS:
        mistakes.append(f"store.ring_seconds must be 0, or {LEAST_RING_SECONDS} and more")
    if ("{user}" in config.broker.exchange) == ("{shard}" in config.broker.exchange):
        mistakes.append("broker.exchange must hold either {user} or {shard}")
    return mistakes + _cache_contradictions(config.cache)


def _cache_contradictions(cache: Cache) -> list[str]:
    mistakes = []
    if "{user}" not in cache.friends_key:
        mistakes.append("cache.friends_key must hold {user}")
    if cache.friends_format not in ("json", "php", "comma"):
        mistakes.append("cache.friends_format must be json, php or comma")
    if cache.friends_writer not in ("feedd", "site"):
        mistakes.append("cache.friends_writer must be feedd or site")
    if cache.friends_writer == "site" and cache.url.startswith("local"):
        mistakes.append("cache.friends_writer site needs a memcached in cache.url")
    if cache.friends_writer == "feedd" and cache.friends_format != "json":
        mistakes.append("cache.friends_format must be json, unless cache.friends_writer is site")
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
