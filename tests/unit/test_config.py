"""The configuration: every setting, and every mistake at once."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from feedd.config import SECTIONS, is_loopback, parse_config
from feedd.feed.settings import BadConfig, Config

FULL = """
[http]
listen = ["tcp:8080:interface=127.0.0.1"]
allowed_origins = ["https://www.example.org", "http://localhost:8000", "http://[::1]:80"]
max_body_bytes = 1024
max_connections = 1
request_seconds = 1
fast_lane = false
reuse_port = true
[poll]
hold_seconds = 25.5
linger_seconds = 1
max_pending = 2
max_subscriptions = 3
recent_bytes = 2000000
per_user = 2
recent_events = 4
[auth]
mode = "token"
secret_file = "/etc/feedd/token.key"
cookie = "c"
audience = "a"
leeway_seconds = 0
max_token_seconds = 1
backend_key_file = "/etc/feedd/backend.key"
url = "https://www.example.org/whoami"
cache_seconds = 0
timeout_seconds = 1
[store]
url = "mysql://feedd@127.0.0.1:3306/feedd"
password_file = "/etc/feedd/db"
settle_seconds = 0
multi_writer = true
tail_seconds = 0.25
ring_seconds = 0.1
threads = 1
max_waiting = 2
waiting_of_user = 2
query_seconds = 3
keep_days = 30.0
migrate = false
[broker]
url = "amqps://127.0.0.1/%2F"
password_file = "/etc/feedd/mq"
exchange = "feed.{shard}"
shards = 16
linger_seconds = 1
heartbeat_seconds = 0
timeout_seconds = 2
queue_length = 3
[cache]
url = "memcached://127.0.0.1:11211,127.0.0.1:11212"
friends_key = "f:{user}"
friends_format = "php"
friends_writer = "site"
friends_seconds = 1
timeout_seconds = 0.25
connections = 1
max_entries = 2
max_waiting = 3
"""


class ParseTests(SynchronousTestCase):
    """`parse_config`."""

    def mistakes(self, text: str) -> list[str]:
        """What is wrong with `text`."""
        error: BadConfig = self.assertRaises(BadConfig, parse_config, text)
        return error.mistakes

    def assert_mistake(self, text: str, *mistakes: str) -> None:
        """Exactly these mistakes are found, each named by how it begins."""
        found = self.mistakes(text)
        self.assertEqual(len(found), len(mistakes), found)
        for mistake, beginning in zip(found, mistakes, strict=True):
            self.assertTrue(mistake.startswith(beginning), found)

    def test_nothing(self) -> None:
        """An empty file is the embedded default."""
        self.assertEqual(parse_config(""), Config())

    def test_everything(self) -> None:
        """Every setting of every section can be set, and none of them is ignored."""
        config = parse_config(FULL)
        for name, kind in SECTIONS.items():
            section, default = getattr(config, name), kind()
            same = {
                f for f in section.__struct_fields__ if getattr(section, f) == getattr(default, f)
            }
            self.assertEqual(same, {"listen"} if name == "http" else set())

    def test_frozen(self) -> None:
        """A configuration does not change."""
        with self.assertRaises(AttributeError):
            Config().poll.hold_seconds = 1  # type: ignore[misc]

    def test_whole_numbers(self) -> None:
        """Seconds may be whole numbers."""
        self.assertEqual(parse_config("[poll]\nhold_seconds = 5").poll.hold_seconds, 5.0)

    def test_shared_port(self) -> None:
        """
        Only TCP ports can be shared: not a socket in the file system, nor TLS; of several listeners
        each must be one.
        """
        listen = 'reuse_port = true\nlisten = ["tcp:1:interface=127.0.0.1", "{}"]'
        for endpoint in ("unix:/run/feedd.sock", "ssl:2:interface=127.0.0.1", "2"):
            text = (
                "[http]\n" + listen.format(endpoint) + '\n[auth]\nmode = "token"\nsecret_file = "x"'
            )
            self.assert_mistake(text, "http.reuse_port")
        self.assertTrue(
            parse_config("[http]\n" + listen.format("tcp6:2:interface=\\\\:\\\\:1")).http.reuse_port
        )

    def test_ring_seconds(self) -> None:
        """The ringer may be off, or look neither all the time nor as seldom as the net."""
        for seconds in ("0.001", "-1", "0.6"):
            self.assert_mistake(f"[store]\nring_seconds = {seconds}", "store.ring_seconds")
        for seconds in (0.0, 0.002, 0.5):
            config = parse_config(f"[store]\nring_seconds = {seconds}")
            self.assertEqual(config.store.ring_seconds, seconds)

    def test_not_toml(self) -> None:
        """What is not TOML is one mistake, with its line."""
        self.assert_mistake("[http\n", "not TOML: ")
        self.assertIn("line 1", self.mistakes("[http\n")[0])

    def test_unknown(self) -> None:
        """Unknown sections and keys are mistakes."""
        self.assert_mistake(
            "top = 1\n[htp]\n[http]\nlissten = []",
            "[top] is not",
            "[htp] is not",
            "http.lissten is not",
        )

    def test_not_a_table(self) -> None:
        """A section must be a table."""
        self.assert_mistake(
            "http = 1\n[[poll]]\nhold_seconds = 1", "[http] must be", "[poll] must be"
        )

    def test_wrong_types(self) -> None:
        """A value of the wrong type is a mistake that names its key."""
        for key, value in {
            "http.listen": '"tcp:8080"', "http.max_connections": "1.5",
            "poll.hold_seconds": '"50"', "poll.max_pending": "true",
            "store.migrate": "1", "auth.cookie": "1", "broker.shards": "1979-05-27",
            "cache.friends_seconds": "[1]",
        }.items():  # fmt: skip
            section, name = key.split(".")
            self.assert_mistake(f"[{section}]\n{name} = {value}", key)

    def test_out_of_range(self) -> None:
        """A number outside of its limits is a mistake that names its key."""
        for key, value in {
            "http.max_body_bytes": "1023", "poll.hold_seconds": "0", "poll.linger_seconds": "-1",
            "poll.max_pending": "0",
            "store.settle_seconds": "nan", "store.tail_seconds": "inf", "store.threads": "201",
            "broker.shards": "65537",
            "broker.heartbeat_seconds": "-1", "cache.connections": "0",
            "auth.cache_seconds": "3601",
            "store.keep_days": "-1",
        }.items():  # fmt: skip
            section, name = key.split(".")
            self.assert_mistake(f"[{section}]\n{name} = {value}", key)

    def test_all_at_once(self) -> None:
        """One mistake does not hide the next."""
        text = (
            '[zap]\n[http]\nlisten = []\nnope = 1\n[poll]\nhold_seconds = "x"\n[store]\nurl '
            '= "oracle:x"\n'
        )
        text += '[cache]\nfriends_key = "f"'
        self.assert_mistake(
            text,
            "[zap] is not", "http.nope is not", "poll.hold_seconds:", "store.url must",
            "http.listen names", "cache.friends_key must",
        )  # fmt: skip

    def test_lists_of_the_site(self) -> None:
        """Only lists of the site may have a format of its own, and only memcached holds such."""
        memcached = '[cache]\nurl = "memcached://127.0.0.1"\n'
        site = 'friends_writer = "site"\n'
        for form in ("json", "php", "comma"):
            self.assertEqual(
                parse_config(f'{memcached}{site}friends_format = "{form}"').cache.friends_format,
                form,
            )
        self.assert_mistake(
            f'{memcached}friends_format = "php"', "cache.friends_format must be json"
        )
        self.assert_mistake(
            f'{memcached}{site}friends_format = "xml"', "cache.friends_format must be"
        )
        self.assert_mistake(f'{memcached}friends_writer = "me"', "cache.friends_writer must be")
        self.assert_mistake(f"[cache]\n{site}", "cache.friends_writer site needs")

    def test_text(self) -> None:
        """The error's text holds all mistakes."""
        self.assertEqual(str(BadConfig(["one", "two"])), "one; two")

    def test_schemes(self) -> None:
        """A URL of a kind that no part understands is a mistake."""
        for part in ("store", "broker", "cache"):
            for url in ("", "http://x", "://", "SQLITE:x"):
                self.assert_mistake(
                    f'[{part}]\nurl = "{url}"', f"{part}.url must start with one of "
                )

    def test_origins(self) -> None:
        """An allowed origin is a scheme, a host and perhaps a port; never a pattern or a path."""
        for origin in (
            "*",
            "https://*.example.org",
            "https://example.org/",
            "example.org",
            "null",
            "ftp://example.org",
            "https://",
        ):
            self.assert_mistake(f'[http]\nallowed_origins = ["{origin}"]', "http.allowed_origins: ")

    def test_exchange(self) -> None:
        """An exchange is named by user or by shard, not by both or neither."""
        for exchange in ("feed", "{user}.{shard}"):
            self.assert_mistake(f'[broker]\nexchange = "{exchange}"', "broker.exchange must")

    def test_mode(self) -> None:
        """There are three ways to log in."""
        self.assert_mistake('[auth]\nmode = "none"', "auth.mode must")

    def test_token_without_secret(self) -> None:
        """Tokens need a secret."""
        self.assert_mistake('[auth]\nmode = "token"', "auth.secret_file is needed")

    def test_http_without_url(self) -> None:
        """Asking the site needs its URL."""
        for url in ("", "www.example.org", "file:///etc/passwd"):
            self.assert_mistake(f'[auth]\nmode = "http"\nurl = "{url}"', "auth.url must")

    def test_demo_in_public(self) -> None:
        """Demo logins are refused when one listener can be reached from elsewhere."""
        self.assert_mistake(
            '[http]\nlisten = ["tcp:1:interface=127.0.0.1", "tcp:8080"]',
            "auth.mode demo is refused",
        )

    def test_public_with_tokens(self) -> None:
        """With real logins any listener is welcome."""
        text = '[http]\nlisten = ["tcp:8080"]\n[auth]\nmode = "http"\nurl = "http://site/"'
        self.assertEqual(parse_config(text).http.listen, ("tcp:8080",))

    def test_types_are_checked_by_msgspec(self) -> None:
        """Every section refuses unknown fields by itself as well."""
        for kind in SECTIONS.values():
            with self.assertRaises(msgspec.ValidationError):
                msgspec.convert({"unknown": 1}, kind)


class LoopbackTests(SynchronousTestCase):
    """`is_loopback`, which decides whether demo logins are safe."""

    def test_only_this_machine(self) -> None:
        """Loopback addresses and UNIX sockets are reached from this machine only."""
        for endpoint in (
            "tcp:8080:interface=127.0.0.1", "tcp:interface=127.0.0.1:port=8080",
            "tcp:8080:interface=127.9.9.9:backlog=5",
            r"tcp6:8080:interface=\:\:1", r"tcp:8080:interface=\:\:1",
            "ssl:443:privateKey=k.pem:interface=127.0.0.1",
            "unix:/run/feedd.sock", "unix:/run/feedd.sock:mode=660",
        ):  # fmt: skip
            self.assertTrue(is_loopback(endpoint), endpoint)

    def test_everybody(self) -> None:
        """All else may be reached from elsewhere."""
        for endpoint in (
            "", "tcp:8080", "tcp6:8080", "ssl:443", "tcp:8080:interface=0.0.0.0",
            r"tcp6:8080:interface=\:\:",
            "tcp:8080:interface=",
            "tcp:8080:interface=127.0.0.1.evil.org", "tcp:8080:interface=127.evil.org",
            "tcp:8080:interface=10.0.0.1",
            "tcp:8080:interface=1127.0.0.1", r"tcp6:8080:interface=\:\:11",
            "tcp:8080:xinterface=127.0.0.1", "tcp:127.0.0.1",
            "systemd:domain=INET:index=0", "tcp:8080:interface=localhost",
            "tcp:8080:interface=127.0.0.1\n", "unixy:8080",
        ):  # fmt: skip
            self.assertFalse(is_loopback(endpoint), endpoint)

    def test_given_twice(self) -> None:
        """An interface that is given twice must be loopback both times: Twisted takes the last."""
        self.assertFalse(is_loopback("tcp:8080:interface=127.0.0.1:interface=0.0.0.0"))

    def test_inside_another_word(self) -> None:
        """An escaped colon begins no new argument."""
        self.assertFalse(is_loopback(r"ssl:443:privateKey=/etc/k\:interface=127.0.0.1"))

    def test_escaped_name(self) -> None:
        """An argument whose name is escaped is the same argument."""
        self.assertFalse(is_loopback(r"tcp:8080:interface=127.0.0.1:\interface=0.0.0.0"))
