"""
What txAMQP gets wrong before the first message, and that our client does not; see
`test_amqp_mended`.
"""

from pika import spec
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from txamqp.client import TwistedDelegate
from txamqp.content import Content
from txamqp.factory import AMQFactory
from txamqp.protocol import AMQClient
from txamqp.spec import load_string

from tests.unit.amqp_peer import Peer
from tests.unit.amqp_stock import MendedTestCase, StockTestCase

NO_WAIT = """<amqp major="0" minor="9"><constant name="frame-method" value="1"/>
<constant name="frame-end" value="206"/><class name="queue" index="50" handler="channel">
<method name="bind" synchronous="1" index="20"> <response name="bind-ok"/><field name="queue"
type="shortstr"/>
<field name="no-wait" type="bit"/></method><method name="bind-ok" synchronous="1" index="21">
</method></class></amqp>"""


class SpecStockTests(SynchronousTestCase):
    def test_no_table(self) -> None:
        """Stock: there is no method table to load."""
        self.assertRaises(ValueError, AMQFactory)

    def test_no_wait(self) -> None:
        """
        Stock: with the specification's own name of the field, a call without an answer never
        returns.
        """
        peer = Peer(AMQClient(TwistedDelegate(), "/", load_string(NO_WAIT), clock=Clock()))
        channel = self.successResultOf(peer.client.channel(1))
        waiting = channel.queue_bind(queue="q", no_wait=True)
        self.assertNoResult(waiting)
        waiting.cancel()
        self.failureResultOf(waiting)


class SpecMendedTests(MendedTestCase):
    def test_no_wait(self) -> None:
        """A call with nowait returns at once."""
        self.assertIsNone(self.call(self.peer.channel().queue_bind(queue="q", nowait=True)))


class StartStockTests(StockTestCase):
    def test_nothing_is_told(self) -> None:
        """Stock: no capability is named."""
        self.client.channel(0)
        self.peer.start()
        self.assertEqual(self.peer.methods()[0].client_properties, {})


class StartMendedTests(SynchronousTestCase):
    def test_capabilities(self) -> None:
        """The broker learns what we can do."""
        peer = Peer()
        peer.start()
        (answer,) = peer.methods()
        self.assertEqual((answer.mechanism, answer.response), ("PLAIN", b"\0feedd\0s3cret"))
        capabilities = answer.client_properties["capabilities"]
        for name in (
            "authentication_failure_close",
            "basic.nack",
            "connection.blocked",
            "consumer_cancel_notify",
        ):
            self.assertIs(capabilities[name], True)


class TuneStockTests(StockTestCase):
    def test_no_limit(self) -> None:
        """Stock: a server without a frame limit gets messages without a body."""
        self.client.channel(0)
        self.peer.say(0, spec.Connection.Tune(0, 0, 0))
        self.peer.sent()
        self.publish(content=Content(b"body"))
        self.assertEqual(len(self.peer.sent()), 2)

    def test_frame_over_the_limit(self) -> None:
        """Stock: a part of a frame over the limit calls a method that is not there."""
        self.assertRaises(
            AttributeError, self.client.dataReceived, b"\x03\0\1\0\1\0\0" + b"x" * 5000
        )

    def test_heartbeat(self) -> None:
        """Stock: the server's wish is not heard."""
        peer = Peer(self.make(heartbeat=60))
        peer.client.channel(0)
        peer.wire.take()
        peer.say(0, spec.Connection.Tune(0, 4096, 10))
        self.assertEqual(peer.methods()[0].heartbeat, 60)


class TuneMendedTests(SynchronousTestCase):
    def test_limits(self) -> None:
        """The answer is what both can live with; 0 is no limit of one's own."""
        for theirs, ours, agreed in (
            ((0, 0, 0), 10, (2047, 131_072, 10)),
            ((10, 4096, 60), 10, (10, 4096, 10)),
            ((5000, 10**6, 5), 10, (2047, 131_072, 5)),
            ((0, 0, 60), 0, (2047, 131_072, 60)),
            ((0, 0, 0), 0, (2047, 131_072, 0)),
        ):
            peer = Peer(heartbeat_seconds=ours)
            peer.start()
            peer.sent()
            peer.say(0, spec.Connection.Tune(*theirs))
            answer = peer.methods()[0]
            self.assertEqual((answer.channel_max, answer.frame_max, answer.heartbeat), agreed)
            peer.client.fail("end of the test")

    def test_small_frames(self) -> None:
        """A body is cut to the limit agreed on."""
        peer = Peer()
        peer.handshake(frame_max=4096)
        peer.channel().basic_publish(content=Content(b"x" * 9000))
        self.assertEqual([len(read.fragment) for read in peer.sent()[2:]], [4088, 4088, 824])

    def test_frame_over_the_limit(self) -> None:
        """Ends the connection, with a reason."""
        peer = Peer()
        peer.handshake(frame_max=4096)
        peer.client.dataReceived(b"\x03\0\1\0\1\0\0" + b"x" * 5000)
        self.assertEqual(
            (peer.wire.ended, peer.client.trouble), ("aborted", "a frame of 65536 bytes")
        )
