"""The requests of a poll, for both load generators, and the choice of peers and of a generator."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench import __main__ as command_line
from bench import everything, generator, native, peers
from bench.conversation import Conversation, Served
from bench.memory import friendships
from bench.peers.aiohttp_gateway import JSONP

FEED = Conversation(
    poll="/poll?user=u{i}&token={v}&cursor={cursor}", cursor_key="cursor", variables=("one", "two")
)


class ConversationTests(SynchronousTestCase):
    """`Conversation`."""

    def test_first_poll(self) -> None:
        """It has no cursor yet; variables are given out in turn."""
        expected = b"GET /poll?user=u3&token=two&cursor= HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        self.assertEqual(FEED.request(3, b""), expected)

    def test_next_poll(self) -> None:
        """It has the last cursor of the answer, a string or a number."""
        self.assertIn(
            b"cursor=k.7~a ", FEED.request(0, b'cb({"events":[{"cursor":"x"}],"cursor":"k.7~a"});')
        )
        self.assertIn(b"since=12 ", JSONP.request(0, b'/**/cb0({"cursor": 12, "items": []});'))

    def test_tags(self) -> None:
        """Last-Modified and Etag come back as conditions."""
        talk = Conversation(poll="/lp", tags=True)
        asked = talk.request(
            0, b"HTTP/1.1 200 OK\r\nLast-Modified: now\r\nServer: x\r\nEtag: 3\r\n\r\n{}"
        )
        self.assertEqual(
            asked,
            b"GET /lp HTTP/1.1\r\nHost: 127.0.0.1\r\nIf-Modified-Since: "
            b"now\r\nIf-None-Match: 3\r\n\r\n",
        )
        self.assertNotIn(b"If-", talk.request(0, b""))

    def test_poll_with_a_body(self) -> None:
        """Is a POST with its length."""
        asked = Conversation(poll="/faye", send='{"id":"{v}"}', variables=("é",)).request(0, b"")
        self.assertTrue(asked.startswith(b"POST /faye HTTP/1.1\r\n"))
        self.assertTrue(asked.endswith('Content-Length: 11\r\n\r\n{"id":"é"}'.encode()))

    def test_publishing(self) -> None:
        """The body holds the token."""
        self.assertTrue(
            FEED.publishing("tok-1-").endswith(b'Content-Length: 14\r\n\r\n{"t":"tok-1-"}')
        )

    def test_arguments(self) -> None:
        """fanbench is told the same conversation."""
        said = native.arguments(Served((8001, 8002), (11, 12), FEED), 30_000, Path("variables"))
        options = dict(zip(said[::2], said[1::2], strict=True))
        self.assertEqual(
            (options["--port"], options["--pid"], options["--sources"]), ("8001,8002", "11,12", "2")
        )
        self.assertEqual((options["--path"], options["--cursor-key"]), (FEED.poll, "cursor"))
        self.assertEqual(options["--var-file"], "variables")
        self.assertIn(
            "--tags",
            native.arguments(Served((1,), (2,), Conversation(poll="/lp", tags=True)), 1, Path()),
        )


class FakePeer:
    """A peer that lacks something, or nothing."""

    def __init__(self, name: str, lacking: str = "") -> None:
        self.name = name
        self._lacking = lacking

    def missing(self) -> str:
        """The thing that it was made without."""
        return self._lacking

    @contextmanager
    def running(self, viewers: int) -> Iterator[Served]:
        """It does not run."""
        raise NotImplementedError


class ChoiceTests(SynchronousTestCase):
    """The choice of the peers and of the generator."""

    def setUp(self) -> None:
        self.known = {
            "feedd": FakePeer("feedd"),
            "nchan": FakePeer("nchan", "nginx"),
            "floor": FakePeer("floor"),
        }

    def test_installed(self) -> None:
        """
        In the order that was asked for, each once; for the others a line says what to install.
        """
        chosen, lines = peers.choose(["floor", "nchan", "feedd", "floor"], self.known)
        self.assertEqual([peer.name for peer in chosen], ["floor", "feedd"])
        self.assertEqual(lines, ["without nchan: it needs nginx"])

    def test_unknown(self) -> None:
        """A name that nobody has is refused, with those that there are."""
        failure = self.assertRaises(ValueError, peers.choose, ["apache"], self.known)
        self.assertIn("feedd, nchan, floor", str(failure))

    def test_every_peer(self) -> None:
        """The default peers are known, and a peer without the packages of Node.js says so."""
        known = peers.known(None)
        self.assertLessEqual(set(peers.DEFAULT), set(known))
        self.assertTrue(known["faye"].missing())

    def test_generator(self) -> None:
        """C where there is a compiler, unless Python is wished for."""
        self.assertEqual(generator.choose(None, "").name, generator.NATIVE)
        self.assertEqual(generator.choose(None, "a compiler").name, generator.PYTHON)
        self.assertEqual(generator.choose(False, "").name, generator.PYTHON)
        self.assertRaises(ValueError, generator.choose, True, "a compiler")


class CommandLineTests(SynchronousTestCase):
    """``python -m bench``."""

    def test_unknown_name(self) -> None:
        """Is answered with the names, a line each."""
        said = StringIO()
        self.assertEqual(command_line.main(["nothing"], said), 2)
        lines = said.getvalue().splitlines()
        self.assertEqual([line.split()[0] for line in lines[2:]], list(command_line.BENCHMARKS))

    def test_everything(self) -> None:
        """Each step is a benchmark that there is, and has a file of its own."""
        self.assertLessEqual(
            {step.benchmark for step in everything.PLAN}, set(command_line.BENCHMARKS)
        )
        self.assertEqual(len({step.file for step in everything.PLAN}), len(everything.PLAN))

    def test_step(self) -> None:
        """The folder of the packages goes to those that have peers in Node.js."""
        words = {
            step.file: everything.command(step, Path("out"), "npm", quick=True)
            for step in everything.PLAN
        }
        self.assertIn("--npm", words["fanout"])
        self.assertNotIn("--npm", words["memory"])
        self.assertEqual(words["series"][-2:], ["--json", "out/series.json"])


class FriendshipTests(SynchronousTestCase):
    """The friendships while memory is measured."""

    def test_one_friend(self) -> None:
        """Is the same for all."""
        self.assertEqual(list(friendships(2, 1, 100)), [("u0", "a0"), ("u1", "a0")])

    def test_many(self) -> None:
        """Everybody has so many different ones, the same in every run."""
        rows = list(friendships(3, 5, 100))
        self.assertEqual((len(set(rows)), rows), (15, list(friendships(3, 5, 100))))
