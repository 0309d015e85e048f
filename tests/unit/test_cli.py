"""The command line: ``feedd check``, ``feedd token``, ``feedd migrate``."""

import contextlib
import io
import os
import sqlite3
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import jwt
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from feedd import __version__
from feedd.cli import (
    GRACE_SECONDS,
    Finding,
    check_pieces,
    main,
    probe_auth,
    probe_database,
    remaining_trouble,
    report,
)
from feedd.config import parse_config

SECRET = "0123456789abcdef0123456789abcdef"

T = TypeVar("T")


class CommandCase(SynchronousTestCase):
    """A folder for files, and what a command printed."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def file(self, name: str, text: str) -> str:
        """A file with this text; returns its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path.absolute())

    def config(self, text: str) -> str:
        """A configuration file; ``{folder}`` in it is the folder."""
        return self.file("feedd.toml", text.replace("{folder}", str(self.folder.absolute())))

    def run_main(self, *argv: str) -> tuple[int, str, str]:
        """The exit code, what went to stdout, what went to stderr."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(argv)
        return code, out.getvalue(), err.getvalue()

    def result(self, work: Coroutine[Deferred[Any], Any, T]) -> T:
        """What a coroutine that waits for nothing returns."""
        return self.successResultOf(Deferred.fromCoroutine(work))


class CommandLineTests(CommandCase):
    """What every command has in common."""

    def test_mistakes(self) -> None:
        """Every mistake of a configuration is said, a line each, and the exit code is 1."""
        path = self.config("[nope]\n[http]\nlisten = 1\n[auth]\nfoo = 1\n")
        for command in (["check"], ["token", "alice"], ["migrate"]):
            code, out, err = self.run_main(*command, "--config", path)
            self.assertEqual((code, out), (1, ""))
            lines = err.splitlines()
            self.assertEqual(lines[0], "[nope] is not a section")
            self.assertTrue(lines[1].startswith("http.listen: "))
            self.assertEqual(lines[2], "auth.foo is not a setting")

    def test_no_such_file(self) -> None:
        """A configuration that is not there is named."""
        code, _, err = self.run_main("check", "--config", "/does/not/exist.toml")
        self.assertEqual(code, 1)
        self.assertIn("/does/not/exist.toml", err)

    def test_usage(self) -> None:
        """
        Without a command, with an unknown one, or with a wrong option it is said where there is
        help.
        """
        for argv in (
            [],
            ["frob"],
            ["check", "--frob"],
            ["token"],
            ["token", "a", "b"],
            ["token", "a", "--seconds", "x"],
        ):
            code, out, err = self.run_main(*argv)
            self.assertEqual((code, out), (1, ""), argv)
            self.assertIn("--help", err)

    def test_version(self) -> None:
        """The version is feedd's, not Twisted's; for a command too."""
        for argv in (["--version"], ["check", "--version"]):
            out = io.StringIO()
            with contextlib.redirect_stdout(out), self.assertRaises(SystemExit) as end:
                main(argv)
            self.assertEqual((end.exception.code, out.getvalue()), (0, f"feedd {__version__}\n"))


class TokenTests(CommandCase):
    """``feedd token``."""

    def setUp(self) -> None:
        super().setUp()
        self.file("key", f" {SECRET}\n")
        self.path = self.config('[auth]\nmode = "token"\nsecret_file = "{folder}/key"\n')

    def claims(self, *argv: str) -> dict[str, Any]:
        """What is in the token that is printed, whose signature is right."""
        code, out, err = self.run_main("token", *argv, "--config", self.path)
        self.assertEqual((code, err), (0, ""))
        claims: dict[str, Any] = jwt.decode(out.strip(), SECRET, algorithms=["HS256"])
        return claims

    def test_token(self) -> None:
        """It prints a token for the user, signed with the secret, good for an hour."""
        claims, now = self.claims("alice"), int(self.folder.stat().st_mtime)
        self.assertEqual(claims["sub"], "alice")
        self.assertTrue(3590 <= claims["exp"] - now <= 3660, claims)

    def test_audience(self) -> None:
        """It is for the configured audience."""
        self.path = self.config(
            '[auth]\nmode = "token"\nsecret_file = "{folder}/key"\naudience = "feed"\n'
        )
        code, out, _ = self.run_main("token", "alice", "--config", self.path)
        claims = jwt.decode(out.strip(), SECRET, algorithms=["HS256"], audience="feed")
        self.assertEqual((code, claims["aud"]), (0, "feed"))

    def test_seconds(self) -> None:
        """It is good for as long as is asked for, wherever the option stands."""
        near = self.claims("alice", "--seconds", "60")["exp"]
        far = self.claims("--seconds", "86400", "alice")["exp"]
        self.assertTrue(86330 <= far - near <= 86350)

    def test_refuses(self) -> None:
        """
        No token for what is no user, for no time, or where tokens are not taken; never the secret.
        """
        demo = self.file("demo.toml", "")
        for argv, why in (
            (["al/ice", "--config", self.path], "not a user"),
            (["alice", "--seconds", "0", "--config", self.path], "--seconds"),
            (["alice", "--config", demo], "auth.mode is demo"),
        ):
            code, out, err = self.run_main("token", *argv)
            self.assertEqual((code, out), (1, ""))
            self.assertIn(why, err)

    def test_bad_secret(self) -> None:
        """
        A secret that is missing, empty or too short is named by its file or its fault, and never
        shown.
        """
        for secret, why in (
            (None, "key: No such file"),
            ("", "key: empty"),
            ("short-one", "needs 32"),
        ):
            os.unlink(self.folder / "key") if secret is None else self.file("key", secret)
            code, out, err = self.run_main("token", "alice", "--config", self.path)
            self.assertEqual((code, out), (1, ""))
            self.assertIn(why, err)
            self.assertNotIn("short-one", err)


class MigrateTests(CommandCase):
    """``feedd migrate``."""

    def test_migrate(self) -> None:
        """
        It creates the tables, and the second time finds nothing to do; what the daemon may is no
        matter.
        """
        path = self.config('[store]\nurl = "sqlite:{folder}/feedd.sqlite"\nmigrate = false\n')
        code, out, err = self.run_main("migrate", "--config", path)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("it was 0", out)
        with contextlib.closing(sqlite3.connect(self.folder / "feedd.sqlite")) as database:
            self.assertEqual(database.execute("SELECT COUNT(*) FROM events").fetchall(), [(0,)])
        self.assertIn("as it was", self.run_main("migrate", "--config", path)[1])


class CheckTests(CommandCase):
    """``feedd check``, without its servers."""

    def bad(self, text: str) -> dict[str, str]:
        """The findings that are bad, for this configuration."""
        config = parse_config(text.replace("{folder}", str(self.folder.absolute())))
        return {
            finding.part: finding.trouble
            for finding in check_pieces(config, Clock())
            if finding.trouble
        }

    def test_default(self) -> None:
        """The embedded default has nothing wrong with it."""
        self.assertEqual(self.bad(""), {})

    def test_every_piece(self) -> None:
        """
        What is wrong with one piece does not hide what is wrong with the next; no password is
        shown.
        """
        text = (
            '[http]\nlisten = ["tcp:x:interface=127.0.0.1"]\n'
            '[auth]\nmode = "token"\nsecret_file = "{folder}/no1"\nbackend_key_file = '
            '"{folder}/no2"\n'
            '[store]\nurl = "mysql://feedd:hush-hush@127.0.0.1/"\n'
            '[broker]\nurl = "amqp://guest:hush-hush@127.0.0.1:x/"\n'
            '[cache]\nurl = "memcached://127.0.0.1:99999"\n'
        )
        bad = self.bad(text)
        self.assertEqual(
            list(bad), ["listen", "auth", "backend key", "database", "broker", "cache"]
        )
        self.assertIn("no1", bad["auth"])
        self.assertIn("no2", bad["backend key"])
        self.assertNotIn("hush-hush", str(bad))

    def test_password_files(self) -> None:
        """A password file that is not there is a mistake of its part."""
        bad = self.bad(
            '[store]\nurl = "mysql://feedd@127.0.0.1/feedd"\npassword_file = "{folder}/no1"\n'
            '[broker]\nurl = "amqp://feedd@127.0.0.1/"\npassword_file = "{folder}/no2"\n'
        )
        self.assertEqual(list(bad), ["database", "broker"])

    def test_database(self) -> None:
        """
        A database without tables is well when the daemon may create them, and else needs ``feedd
        migrate``.
        """
        self.file("feedd.sqlite", "")
        text = f'[store]\nurl = "sqlite:{self.folder.absolute()}/feedd.sqlite"\n'
        self.assertEqual(self.result(probe_database(parse_config(text), Clock())), "")
        trouble = self.result(probe_database(parse_config(text + "migrate = false\n"), Clock()))
        self.assertIn("feedd migrate", trouble)

    def test_no_database_file(self) -> None:
        """A file of SQLite that is not there yet is not made, and is well where it can be."""
        for folder, well in (
            (self.folder.absolute(), True),
            (self.folder.absolute() / "nowhere", False),
        ):
            config = parse_config(f'[store]\nurl = "sqlite:{folder}/new.sqlite"\n')
            self.assertEqual(self.result(probe_database(config, Clock())) == "", well)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_auth_needs_no_server(self) -> None:
        """Only ``auth.mode = "http"`` has a server to ask."""
        self.assertEqual(self.result(probe_auth(parse_config(""), Clock())), "")

    def test_report(self) -> None:
        """A line for each part; the exit code is 1 when one is bad."""
        out = io.StringIO()
        self.assertEqual(report([Finding("database", ""), Finding("broker", "refused")], out), 1)
        self.assertEqual(out.getvalue(), "ok   database\nbad  broker: refused\n")
        self.assertEqual(report([Finding("database", "")], io.StringIO()), 0)


class SettledTests(SynchronousTestCase):
    """Waiting for a part to come up."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.service = MultiService()
        self.trouble = "not there"
        self.waiting = Deferred.fromCoroutine(
            remaining_trouble(self.clock, self.service, lambda: self.trouble, 1.0)
        )

    def test_comes_up(self) -> None:
        """It ends as soon as there is no trouble any more, and what it started is stopped."""
        self.clock.pump([0.1] * 3)
        self.assertNoResult(self.waiting)
        self.assertTrue(self.service.running)
        self.trouble = ""
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(self.waiting), "")
        self.assertFalse(self.service.running)

    def test_stays_away(self) -> None:
        """It ends after its time, says the trouble, and leaves nothing behind."""
        self.clock.pump([0.1] * int(10 * (1.0 + GRACE_SECONDS) + 2))
        self.assertEqual(self.successResultOf(self.waiting), "not there")
        self.assertFalse(self.service.running)
        self.assertEqual(self.clock.getDelayedCalls(), [])
