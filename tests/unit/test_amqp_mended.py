"""
What txAMQP gets wrong, and that our client does not: a pair of tests for each mended thing.

`Stock` tests show the library misbehaving on the same bytes; should one of them fail with a newer
txAMQP, the mending may go.
"""

from pika import spec
from txamqp.client import Closed
from txamqp.content import Content

from feedd.amqp.protocol.channel import ChannelObserver
from feedd.amqp.protocol.frames import Unpackable
from tests.unit.amqp_peer import delivery
from tests.unit.amqp_stock import MendedTestCase, Recording, StockTestCase

EMOJI = "héllo 😀 \u2028".encode()
DEATHS = spec.BasicProperties(
    headers={"x-death": [{"count": 3, "reason": "rejected"}], "big": 2**40}
)


class BodyStockTests(StockTestCase):
    def test_stall(self) -> None:
        """Stock: after a body with an emoji nothing is delivered any more."""
        self.client.dataReceived(delivery(EMOJI))
        self.assertEqual(self.client.queues, {})
        self.client.dataReceived(delivery(b"plain"))
        self.assertNotIn(
            b"plain",
            [
                message.content.body
                for queue in self.client.queues.values()
                for message in queue.pending
            ],
        )


class BodyMendedTests(MendedTestCase):
    def test_bytes(self) -> None:
        """A body arrives as the bytes that were sent, and so does the next."""
        self.client.dataReceived(delivery(EMOJI) + delivery(b"\xff\xfe") + delivery(b"plain"))
        self.assertEqual(
            [message[3] for message in self.peer.delivered], [EMOJI, b"\xff\xfe", b"plain"]
        )


class PublishStockTests(StockTestCase):
    def test_dead_writer(self) -> None:
        """
        Stock: a publish that cannot be packed succeeds, and so do all later ones, of which nothing
        is sent.
        """
        self.successResultOf(self.publish(exchange="e" * 300))
        self.peer.wire.take()
        self.successResultOf(self.publish())
        self.assertEqual(self.peer.wire.take(), b"")

    def tearDown(self) -> None:
        self.flush_lost_errors()


class PublishMendedTests(MendedTestCase):
    def test_error_of_the_caller(self) -> None:
        """
        What cannot be packed is an error of its caller, nothing is sent, and the next one goes.
        """
        channel = self.peer.channel()
        for arguments in (
            {"exchange": "e" * 256, "content": Content(b"x")},
            {"content": Content(b"x", properties={"headers": {"k": object()}})},
            {"content": Content("text")},
            {"content": Content(b"x", properties={"delivery_mode": 1})},
            {"content": Content(b"x", children=[Content(b"y")])},
        ):
            self.failureResultOf(channel.basic_publish(**arguments), Unpackable)
        self.assertRaises(Unpackable, channel.send, "queue.bind", no_wait=True)
        self.assertEqual(self.peer.wire.take(), b"")
        self.call(
            channel.basic_publish(
                exchange="e", content=Content(EMOJI, properties={"headers": {"k": None, "f": 0.5}})
            )
        )
        self.assertEqual(self.peer.sent()[-1].fragment, EMOJI)

    def test_one_write(self) -> None:
        """All frames of a publish are one write."""
        channel, writes = self.peer.channel(), self.peer.wire.writes
        self.call(channel.basic_publish(exchange="e", content=Content(b"x" * 300_000)))
        self.assertEqual(self.peer.wire.writes, writes + 1)
        self.assertEqual(len(self.peer.sent()), 5)


class UnknownStockTests(StockTestCase):
    def test_connection_lost(self) -> None:
        """Stock: a method that the delegate does not know closes the connection."""
        self.client.channel(0)
        self.peer.say(0, spec.Connection.Blocked("low on memory"))
        self.assertEqual(self.peer.wire.ended, "lost")


class UnknownMendedTests(MendedTestCase):
    def test_blocked(self) -> None:
        """The broker may block and unblock us."""
        told: list[str | None] = []
        self.client.on_blocked = lambda: told.append(self.client.blocked)
        self.peer.say(0, spec.Connection.Blocked("low on memory"), spec.Connection.Unblocked())
        self.assertEqual(told, ["low on memory", None])

    def test_told(self) -> None:
        """Confirms and cancels reach the observer of the channel."""
        observer = Recording()
        number = self.peer.channel(observer).id
        self.peer.say(
            number, spec.Basic.Ack(1, False), spec.Basic.Nack(3, True), spec.Basic.Cancel("ctag1")
        )
        self.assertEqual(observer.said, [(1, False, True), (3, True, False), (b"ctag1",)])

    def test_nobody_to_tell(self) -> None:
        """A method that nothing is to be done for is counted, and the connection lives."""
        self.peer.say(0, spec.Exchange.Declare(exchange="x"))
        self.assertEqual(self.peer.complaints[0][0], "amqp_unknown_methods")
        self.assertEqual(self.peer.wire.ended, "")

    def test_observer_that_raises(self) -> None:
        """An error of the observer is counted, and the connection lives."""

        class Broken(ChannelObserver):
            def cancelled(self, consumer_tag: bytes) -> None:
                raise AttributeError("oh")

        self.peer.say(self.peer.channel(Broken()).id, spec.Basic.Cancel("ctag1"))
        self.assertEqual([counter for counter, _ in self.peer.complaints], ["amqp_errors"])
        self.assertEqual(self.peer.wire.ended, "")

    def test_failure_of_who_is_told(self) -> None:
        """
        An error of the observer of a channel's end is counted, and everybody else is told.
        """

        class Broken(ChannelObserver):
            def failed(self, error: Exception) -> None:
                raise ValueError(error)

        observer = Recording()
        self.peer.channel(Broken())
        self.peer.channel(observer)
        self.client.fail("x")
        self.assertEqual([counter for counter, _ in self.peer.complaints], ["amqp_errors"])
        self.assertEqual([name for name, _ in observer.said], ["failed"])

    def test_flow(self) -> None:
        """channel.flow is answered."""
        number = self.peer.channel().id
        self.peer.say(number, spec.Channel.Flow(False))
        (answer,) = self.peer.methods()
        self.assertEqual((answer.NAME, answer.active), ("Channel.FlowOk", False))


class ChannelStockTests(StockTestCase):
    def test_consumer_sleeps(self) -> None:
        """
        Stock: a channel that the broker closes wakes no consumer, and its number is given out
        again.
        """
        channel = self.stock_channel()
        waiting = self.successResultOf(self.client.queue("ctag1")).get()
        self.peer.say(1, spec.Channel.Close(404, "gone", 0, 0))
        self.assertNoResult(waiting)
        self.assertIs(self.stock_channel(), channel)
        self.assertTrue(channel.closed)


class ChannelMendedTests(MendedTestCase):
    def test_told_once(self) -> None:
        """The observer is told with what code it was closed; the next channel is a new one."""
        observer = Recording()
        channel = self.peer.channel(observer)
        self.peer.say(channel.id, spec.Channel.Close(404, "gone", 0, 0))
        self.assertEqual([method.NAME for method in self.peer.methods()], ["Channel.CloseOk"])
        self.assertEqual(
            [(name, error.args[0].reply_code) for name, error in observer.said], [("failed", 404)]
        )
        self.failureResultOf(channel.queue_declare(), Closed)
        self.assertNotEqual(self.peer.channel().id, channel.id)

    def test_told_when_the_connection_goes(self) -> None:
        """So it is when the connection is lost, and calls that wait fail."""
        observer = Recording()
        waiting = self.peer.channel(observer).queue_declare()
        self.peer.wire.hang_up()
        self.peer.clock.advance(0)
        self.failureResultOf(waiting, Closed)
        self.assertEqual([name for name, _ in observer.said], ["failed"])


class TableStockTests(StockTestCase):
    def test_poison(self) -> None:
        """Stock: a header table with an array raises in dataReceived, which ends the connection."""
        self.assertRaises(ValueError, self.client.dataReceived, delivery(b"x", properties=DEATHS))

    def test_signed(self) -> None:
        """Stock: negative numbers, None and floats cannot be sent, and kill the writer."""
        for value in (-1, None, 0.5):
            self.successResultOf(
                self.publish(content=Content(b"x", properties={"headers": {"k": value}}))
            )
        self.peer.wire.take()
        self.successResultOf(self.publish())
        self.assertEqual(self.peer.wire.take(), b"")

    def tearDown(self) -> None:
        self.flush_lost_errors()


class TableMendedTests(MendedTestCase):
    def test_poison(self) -> None:
        """Header tables are nobody's business until they are asked for, and then they are read."""
        self.client.dataReceived(delivery(b"x", properties=DEATHS) + delivery(b"y"))
        self.assertEqual([message[3] for message in self.peer.delivered], [b"x", b"y"])


class LengthStockTests(StockTestCase):
    def test_characters_are_counted(self) -> None:
        """
        Stock: a string of two-byte characters has the wrong length, so the peer reads garbage.
        """
        self.stock_channel().queue_bind(queue="é", exchange="e")
        payload = self.peer.wire.take()[7:]
        self.assertEqual(payload[6:9], b"\x01\xc3\xa9")


class LengthMendedTests(MendedTestCase):
    def test_bytes_are_counted(self) -> None:
        """The peer reads what was meant."""
        self.peer.channel().queue_bind(queue="é", exchange="😀")
        (bind,) = self.peer.methods()
        self.assertEqual((bind.queue, bind.exchange), ("é", "😀"))


class OrderStockTests(StockTestCase):
    def test_answers_shift(self) -> None:
        """Stock: the answer to a call that was cancelled is taken for that to the next one."""
        channel = self.stock_channel()
        first, second = channel.queue_declare(), channel.queue_declare()
        first.cancel()
        self.failureResultOf(first)
        self.peer.say(1, spec.Queue.DeclareOk("first", 0, 0))
        self.assertEqual(self.successResultOf(second).queue, "first")


class OrderMendedTests(MendedTestCase):
    def test_answers_stay(self) -> None:
        """Each call gets its own answer."""
        channel = self.peer.channel()
        first, second = channel.queue_declare(), channel.queue_declare()
        first.cancel()
        self.failureResultOf(first)
        self.peer.say(
            channel.id, spec.Queue.DeclareOk("first", 0, 0), spec.Queue.DeclareOk("second", 0, 0)
        )
        self.assertEqual(self.call(second).queue, b"second")

    def test_time_limit(self) -> None:
        """
        A call that is not answered in time closes its channel, whose late answers hurt nobody.
        """
        observer = Recording()
        channel = self.peer.channel(observer)
        first, second = channel.queue_declare(), channel.queue_declare()
        self.peer.sent()
        self.peer.clock.advance(5)
        self.failureResultOf(first, TimeoutError)
        self.failureResultOf(second, TimeoutError)
        self.assertEqual([method.NAME for method in self.peer.methods()], ["Channel.Close"])
        self.peer.say(channel.id, spec.Queue.DeclareOk("late", 0, 0), spec.Channel.CloseOk())
        self.assertEqual((self.peer.complaints, self.peer.wire.ended), ([], ""))
        self.assertEqual([name for name, _ in observer.said], ["failed"])
        self.assertEqual(self.peer.clock.getDelayedCalls(), [])

    def test_answers_keep_a_pipeline_alive(self) -> None:
        """
        The time limit counts from the last answer, not from when a call was queued behind others.
        """
        channel = self.peer.channel()
        calls = [channel.queue_declare() for _ in range(3)]
        for call in calls:
            self.peer.clock.advance(4)
            self.peer.say(channel.id, spec.Queue.DeclareOk("q", 0, 0))
            self.call(call)

    def test_blocked_broker_is_not_late(self) -> None:
        """While the broker says that it does not read, no call is late."""
        waiting = self.peer.channel().queue_declare()
        self.peer.say(0, spec.Connection.Blocked("x"))
        self.peer.clock.pump([4] * 10)
        self.assertNoResult(waiting)
        self.peer.say(0, spec.Connection.Unblocked())
        self.peer.clock.pump([5, 5])
        self.failureResultOf(waiting, TimeoutError)

    def test_answer_to_nothing(self) -> None:
        """An answer that fits no call closes the channel."""
        channel = self.peer.channel()
        waiting = channel.queue_declare()
        self.peer.say(channel.id, spec.Queue.BindOk())
        self.failureResultOf(waiting, Closed)
        self.assertTrue(channel.closed)
