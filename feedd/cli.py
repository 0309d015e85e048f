"""
``feedd``: the commands of an administrator. They check a configuration, print a token, upgrade the
schema.
"""

import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from getopt import GetoptError, gnu_getopt
from typing import Any, ClassVar, NamedTuple, TextIO

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater, react
from twisted.python import usage

from feedd import __version__
from feedd.amqp.inbox import Receiver
from feedd.auth.token import make_token
from feedd.config import load_config, read_secret
from feedd.core.counters import Counters
from feedd.core.event import is_user
from feedd.feed.ports import Credentials, Unauthorized, Unavailable
from feedd.feed.settings import BadConfig, Config
from feedd.process import (
    make_authenticator,
    make_backend_key,
    make_broker,
    make_friends,
    make_store,
)
from feedd.store.database.address import FileAddress, parse_address
from feedd.store.database.dialects import make_dialect
from feedd.store.database.migrate import Outdated, migrate

STEP_SECONDS = 0.05
"""The time between two looks at the trouble of a part."""
GRACE_SECONDS = 1.0
"""Time for a part beyond its own time limit, in which it tells its trouble."""


class Finding(NamedTuple):
    """The result of the check of a part; `trouble` is "" when all is well."""

    part: str
    trouble: str

    def line(self) -> str:
        """As it is printed."""
        return f"bad  {self.part}: {self.trouble}" if self.trouble else f"ok   {self.part}"


class Refused(Exception):
    """The command cannot be done; the text says why."""


class _Options(usage.Options):
    def opt_version(self) -> None:
        """Print the version of feedd and exit."""
        print(f"feedd {__version__}")
        raise SystemExit(0)


class _WithConfig(_Options):
    optParameters: ClassVar[list[list[Any]]] = [
        ["config", "c", None, "The configuration, a TOML file; without it the embedded default."]
    ]


class CheckOptions(_WithConfig):
    """``feedd check``."""

    longdesc = (
        "Says all that is wrong with a configuration, and whether each server can be reached."
    )


class TokenOptions(_WithConfig):
    """``feedd token``."""

    synopsis = "USER [options]"
    longdesc = "Prints a token for USER, signed with auth.secret_file."
    optParameters: ClassVar[list[list[Any]]] = [["seconds", "s", 3600, "How long it is good.", int]]

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """As `usage.Options` does, but options may stand after the user as well."""
        try:
            named, users = gnu_getopt(
                list(options or ()), "c:s:", ["config=", "seconds=", "help", "version"]
            )
        except GetoptError as error:
            raise usage.UsageError(str(error)) from None
        super().parseOptions([*(part for pair in named for part in pair if part), *users])

    def parseArgs(self, *users: str) -> None:
        """The one argument is the user."""
        if len(users) != 1:
            raise usage.UsageError("say for which user")
        self["user"] = users[0]


class MigrateOptions(_WithConfig):
    """``feedd migrate``."""

    longdesc = (
        "Creates or upgrades the tables, which the daemon does by itself unless "
        "store.migrate is false."
    )


class Options(_Options):
    """The commands."""

    synopsis = "feedd COMMAND [options]"
    subCommands: ClassVar = [
        ["check", None, CheckOptions, "Say all that is wrong with a configuration."],
        ["token", None, TokenOptions, "Print a token for a user."],
        ["migrate", None, MigrateOptions, "Create or upgrade the tables."],
    ]

    def postOptions(self) -> None:
        """A command is needed."""
        if self.subCommand is None:
            raise usage.UsageError("say check, token or migrate")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, or 1 when something is wrong."""
    options = Options()
    try:
        options.parseOptions(None if argv is None else list(argv))
        config = load_config(options.subOptions["config"])
        return _COMMANDS[str(options.subCommand)](options.subOptions, config, sys.stdout)
    except BadConfig as error:
        complaint = "\n".join(error.mistakes)
    except usage.UsageError as error:
        complaint = f"{error}\nfeedd --help says more."
    except Refused as error:
        complaint = str(error)
    print(complaint, file=sys.stderr)
    return 1


def print_token(options: usage.Options, config: Config, out: TextIO) -> int:
    """Print a token."""
    user, seconds = options["user"], options["seconds"]
    if not is_user(user):
        raise Refused(f"{user!r} is not a user: 1-64 characters of A-Z a-z 0-9 _ -")
    if seconds < 1:
        raise Refused("--seconds must be 1 or more")
    auth = config.auth
    if auth.mode != "token":
        raise Refused(f"auth.mode is {auth.mode}, which takes no tokens")
    try:
        now = int(time.time())
        key = read_secret(auth.secret_file)
        token = make_token(key, user, now + seconds, auth.audience, now)
    except ValueError as error:
        raise Refused(_words(error)) from None
    print(token, file=out)
    return 0


def upgrade(options: usage.Options, config: Config, out: TextIO) -> int:
    """Bring the schema up to date."""
    dialect = make_dialect(config.store, read_secret(config.store.password_file))
    try:
        before, now = migrate(dialect)
    except dialect.errors as error:
        raise Refused(f"database: {dialect.trouble(error) or error}") from None
    except Unavailable as error:
        raise Refused(f"database: {error.why}") from None
    print(
        f"the schema has version {now}"
        + (f"; it was {before}" if before != now else ", as it was"),
        file=out,
    )
    return 0


def check(options: usage.Options, config: Config, out: TextIO) -> int:
    """
    Check the configuration and each server, and print a line for each. A configuration that cannot
    be parsed does not come as far as this.
    """
    findings: list[Finding] = []

    async def run(reactor: Any) -> None:
        findings.extend(check_pieces(config, reactor))
        wrong = {finding.part for finding in findings if finding.trouble}
        for part, probe in PROBES.items():
            if part not in wrong:
                findings.append(Finding(part, await probe(config, reactor)))

    try:
        react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    except SystemExit as end:
        if end.code:
            raise
    return report(findings, out)


def report(findings: Sequence[Finding], out: TextIO) -> int:
    """Print the findings; returns the exit code."""
    for finding in findings:
        print(finding.line(), file=out)
    return 1 if any(finding.trouble for finding in findings) else 0


def check_pieces(config: Config, reactor: Any) -> list[Finding]:
    """
    Make every part without starting any: this reads the secret files and parses the URLs.

    Returns a finding for the configuration itself, and one for each part that cannot be made.
    """
    counters = Counters()
    pieces: dict[str, Callable[[], object]] = {
        "listen": lambda: [serverFromString(reactor, endpoint) for endpoint in config.http.listen],
        "auth": lambda: make_authenticator(config, reactor, counters),
        "backend key": lambda: make_backend_key(config),
        "database": lambda: make_store(config, reactor, counters),
        "broker": lambda: make_broker(config, reactor, counters, NOBODY, _ignore),
        "cache": lambda: make_friends(config, reactor, counters, _no_friends, MultiService()),
    }
    return [
        Finding("configuration", ""),
        *(Finding(part, why) for part, make in pieces.items() if (why := _mistake(make))),
    ]


async def probe_database(config: Config, reactor: Any) -> str:
    """
    Check that the database answers and its schema is the one that is needed; returns the trouble.
    This changes nothing, and blocks.
    """
    password = read_secret(config.store.password_file)
    address = parse_address(config.store.url, password)
    if isinstance(address, FileAddress) and not os.path.exists(address.path):
        folder = os.path.dirname(address.path)
        return "" if os.access(folder, os.W_OK | os.X_OK) else f"{folder} cannot be written to"
    dialect = make_dialect(config.store, password)
    try:
        migrate(dialect, allowed=False)
    except Outdated as error:
        return "" if config.store.migrate else error.why
    except dialect.errors as error:
        return dialect.trouble(error) or str(error)
    return ""


async def probe_broker(config: Config, reactor: Any) -> str:
    """Check that the broker lets feedd in; returns the trouble."""
    broker = make_broker(config, reactor, Counters(), NOBODY, _ignore)
    service = MultiService()
    if IService.providedBy(broker):
        service.addService(broker)
    return await remaining_trouble(
        reactor, service, lambda: broker.trouble, config.broker.timeout_seconds
    )


async def probe_cache(config: Config, reactor: Any) -> str:
    """Check that every memcached answers; returns the trouble."""
    service = MultiService()
    friends = make_friends(config, reactor, Counters(), _no_friends, service)
    return await remaining_trouble(
        reactor, service, lambda: friends.trouble, config.cache.timeout_seconds
    )


async def probe_auth(config: Config, reactor: Any) -> str:
    """
    Check that the site answers a question for the user of a session; returns the trouble. "Nobody"
    is an answer too.
    """
    if config.auth.mode != "http":
        return ""
    try:
        await make_authenticator(config, reactor, Counters()).identify(
            Credentials(cookie=b"feedd_check=1")
        )
    except Unauthorized:
        return ""
    except Unavailable as error:
        return error.why
    return ""


PROBES: dict[str, Callable[[Config, Any], Awaitable[str]]] = {
    "database": probe_database,
    "broker": probe_broker,
    "cache": probe_cache,
    "auth": probe_auth,
}

_COMMANDS: dict[str, Callable[[usage.Options, Config, TextIO], int]] = {
    "check": check,
    "token": print_token,
    "migrate": upgrade,
}


async def remaining_trouble(
    clock: Any, service: MultiService, trouble: Callable[[], str], seconds: float
) -> str:
    """
    Run `service` for `seconds` and `GRACE_SECONDS`, or until there is no trouble any more; returns
    the trouble that is left.
    """
    service.startService()
    try:
        deadline = clock.seconds() + seconds + GRACE_SECONDS
        while trouble() and clock.seconds() < deadline:
            await deferLater(clock, STEP_SECONDS, _ignore)
        return trouble()
    finally:
        await maybeDeferred(service.stopService)


def _mistake(make: Callable[[], object]) -> str:
    try:
        make()
    except (ValueError, OSError) as error:
        return _words(error)
    return ""


def _words(error: Exception) -> str:
    return "; ".join(getattr(error, "mistakes", None) or [str(error)])


def _ignore(*_: object) -> None:
    pass


NOBODY = Receiver(_ignore, _ignore)


async def _no_friends(viewers: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    return {}
