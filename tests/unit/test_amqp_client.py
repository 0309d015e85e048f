"""One connection: its handshake, its heartbeat, its end, and the numbers of its channels."""

from typing import Any

from pika import frame, spec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from feedd.amqp.protocol.channel import Channel, ChannelObserver
from feedd.amqp.protocol.closed import (
    ChannelClosed,
    Closed,
    ConnectionClosed,
    describe,
    reply_code,
)
from feedd.amqp.protocol.heartbeat import Heartbeat, negotiate
from tests.unit.amqp_peer import LOGIN, Peer, delivery


class HandshakeTests(SynchronousTestCase):
    """`Client.open`."""

    def setUp(self) -> None:
        self.peer = Peer()
        self.opening = Deferred.fromCoroutine(self.peer.client.open())

    def test_order(self) -> None:
        """Protocol header, start-ok, tune-ok, open; then it is open."""
        self.assertEqual(self.peer.wire.data, b"AMQP\0\0\x09\x01")
        self.peer.start()
        self.peer.say(0, spec.Connection.Tune(0, 0, 0))
        names = [method.NAME for method in self.peer.methods()]
        self.assertEqual(names, ["Connection.StartOk", "Connection.TuneOk", "Connection.Open"])
        self.assertNoResult(self.opening)
        self.peer.say(0, spec.Connection.OpenOk())
        self.assertIsNone(self.successResultOf(self.opening))

    def test_wrong_password(self) -> None:
        """The broker's own words are the trouble, and the password is not among them."""
        self.peer.start()
        self.peer.say(0, spec.Connection.Close(403, "ACCESS_REFUSED - Login was refused", 0, 0))
        self.failureResultOf(self.opening, Closed)
        self.assertEqual(self.peer.client.trouble, "403 ACCESS_REFUSED - Login was refused")
        self.assertEqual(self.peer.wire.ended, "lost")

    def test_no_vhost(self) -> None:
        """So they are when the vhost does not exist."""
        self.peer.start()
        self.peer.say(
            0,
            spec.Connection.Tune(0, 0, 0),
            spec.Connection.Close(530, "NOT_ALLOWED - vhost not found", 10, 40),
        )
        self.failureResultOf(self.opening, ConnectionClosed)
        self.assertEqual(self.peer.client.trouble, "530 NOT_ALLOWED - vhost not found")

    def test_silence(self) -> None:
        """A broker that says nothing is given up, wherever it stops."""
        for say in (
            lambda peer: None,
            lambda peer: peer.start(),
            lambda peer: (peer.start(), peer.say(0, spec.Connection.Tune(0, 0, 0))),
        ):
            peer = Peer(timeout_seconds=5)
            opening = Deferred.fromCoroutine(peer.client.open())
            say(peer)
            peer.clock.advance(4.9)
            self.assertNoResult(opening)
            peer.clock.advance(0.2)
            self.failureResultOf(opening, Closed)
            self.assertEqual(peer.client.trouble, "the broker did not finish the handshake in time")
            self.assertEqual(peer.wire.ended, "aborted")
            peer.clock.advance(0)
            self.assertEqual(peer.clock.getDelayedCalls(), [])

    def test_connection_lost(self) -> None:
        """A connection that goes ends the handshake."""
        self.peer.wire.hang_up()
        self.peer.clock.advance(0)
        self.failureResultOf(self.opening, Closed)

    def test_other_login(self) -> None:
        """A broker that knows no password login is not logged in to."""
        self.peer.say(0, spec.Connection.Start(0, 9, {}, "EXTERNAL"))
        self.failureResultOf(self.opening, Closed)
        self.assertEqual(self.peer.client.trouble, "the broker offers no PLAIN login")

    def test_challenge(self) -> None:
        """Nor one that asks for more."""
        self.peer.start()
        self.peer.say(0, spec.Connection.Secure("and?"))
        self.failureResultOf(self.opening, Closed)

    def test_other_protocol(self) -> None:
        """A broker of another version says so by its own header."""
        self.peer.client.dataReceived(b"AMQP\0\1\0\0")
        self.failureResultOf(self.opening, Closed)
        self.assertEqual(self.peer.client.trouble, "the server speaks another protocol or version")

    def test_password_is_not_shown(self) -> None:
        """Not by the login's repr either."""
        self.assertNotIn(LOGIN.password, repr(LOGIN))


class EndTests(SynchronousTestCase):
    """The end of a connection."""

    def setUp(self) -> None:
        self.peer = Peer()
        self.client = self.peer.client
        self.successResultOf(self.peer.handshake())

    def test_farewell(self) -> None:
        """`close` takes leave, and hangs up when that is answered."""
        closing = self.client.close(within_seconds=3)
        self.assertEqual([method.NAME for method in self.peer.methods()], ["Connection.Close"])
        self.assertNoResult(closing)
        self.peer.say(0, spec.Connection.CloseOk())
        self.successResultOf(closing)
        self.assertEqual(self.peer.wire.ended, "aborted")

    def test_farewell_to_nobody(self) -> None:
        """It hangs up as well when nobody answers."""
        closing = self.client.close(within_seconds=3)
        self.peer.clock.advance(3)
        self.successResultOf(closing)
        self.assertEqual(self.peer.wire.ended, "aborted")
        self.peer.clock.advance(0)
        self.assertEqual(self.peer.clock.getDelayedCalls(), [])

    def test_closed_by_the_broker(self) -> None:
        """connection.close is answered, and every call that waits fails with it."""
        waiting = self.peer.channel().queue_declare()
        self.peer.sent()
        self.peer.say(0, spec.Connection.Close(320, "CONNECTION_FORCED - shutdown", 0, 0))
        self.assertEqual([method.NAME for method in self.peer.methods()], ["Connection.CloseOk"])
        self.assertEqual(reply_code(self.failureResultOf(waiting, ConnectionClosed).value), 320)

    def test_once(self) -> None:
        """Whatever comes after the end changes nothing."""
        self.client.fail("first")
        self.client.fail("second")
        self.peer.client.dataReceived(delivery(b"late") + b"garbage" * 10)
        self.assertEqual(self.peer.delivered, [])
        self.peer.clock.advance(0)
        self.successResultOf(self.client.close(within_seconds=3))
        self.assertEqual(self.client.trouble, "first")
        self.failureResultOf(
            Deferred.fromCoroutine(self.client.open_channel(ChannelObserver())), Closed
        )

    def test_answer_to_nothing(self) -> None:
        """
        An answer to no call, on the channel that is the connection's own, ends the connection.
        """
        self.peer.say(0, spec.Connection.OpenOk())
        self.assertEqual(
            (self.peer.wire.ended, self.client.trouble), ("aborted", "an answer that fits no call")
        )

    def test_words(self) -> None:
        """What happened, in few words, whatever it was."""
        self.assertEqual(describe(Closed(ValueError("x"))), "x")
        self.assertEqual(describe(TimeoutError()), "TimeoutError")
        self.assertEqual(reply_code(ValueError("x")), 0)


class NumberTests(SynchronousTestCase):
    """Channel numbers."""

    def setUp(self) -> None:
        self.peer = Peer()
        self.successResultOf(self.peer.handshake(channel_max=3))

    def close(self, channel: Channel) -> None:
        self.peer.say(channel.id, spec.Channel.Close(404, "x", 0, 0))
        self.peer.sent()

    def test_as_fresh_as_possible(self) -> None:
        """A number comes again only after all others, and never while it is in use."""
        first, second = self.peer.channel(), self.peer.channel()
        self.close(second)
        third = self.peer.channel()
        self.close(third)
        numbers = [first.id, second.id, third.id, self.peer.channel().id, self.peer.channel().id]
        self.assertEqual(numbers, [1, 2, 3, 2, 3])

    def test_none_left(self) -> None:
        """One channel too many is an error of its caller."""
        for _ in range(3):
            self.peer.channel()
        self.failureResultOf(
            Deferred.fromCoroutine(self.peer.client.open_channel(ChannelObserver())), Closed
        )

    def test_not_before_the_broker_agrees(self) -> None:
        """
        The number of a channel that we closed is in use until close-ok; a close from the other side
        is answered.
        """
        channel, _, _ = self.peer.channel(), self.peer.channel(), self.peer.channel()
        channel.abandon(Closed("x"))
        channel.abandon(Closed("again"))
        self.assertEqual([method.NAME for method in self.peer.methods()], ["Channel.Close"])
        self.peer.say(1, spec.Channel.Close(404, "x", 0, 0))
        self.assertEqual([method.NAME for method in self.peer.methods()], ["Channel.CloseOk"])
        self.failureResultOf(
            Deferred.fromCoroutine(self.peer.client.open_channel(ChannelObserver())), Closed
        )
        self.peer.say(1, spec.Channel.CloseOk())
        self.assertEqual(self.peer.channel().id, 1)

    def test_stray(self) -> None:
        """A method on a channel that is closed is counted, and the connection lives."""
        self.peer.say(9, spec.Queue.BindOk())
        self.assertEqual([counter for counter, _ in self.peer.complaints], ["amqp_stray_frames"])

    def test_refused(self) -> None:
        """Opening a channel may fail as any call."""
        opening = Deferred.fromCoroutine(self.peer.client.open_channel(ChannelObserver()))
        self.close(self.peer.client.channels[1])
        self.failureResultOf(opening, ChannelClosed)


class HeartbeatTests(SynchronousTestCase):
    """The heartbeat of a connection; see also `tests.unit.test_amqp_mended_start`."""

    def setUp(self) -> None:
        self.peer = Peer(heartbeat_seconds=10)
        self.successResultOf(self.peer.handshake(heartbeat=10))

    def test_sent_when_nothing_else_is(self) -> None:
        """A heartbeat goes out in every half interval in which nothing else did."""
        self.peer.clock.advance(5)
        self.peer.sent()
        self.peer.clock.advance(5)
        self.assertIsInstance(self.peer.sent()[0], frame.Heartbeat)
        self.peer.client.write(b"")
        self.peer.clock.advance(5)
        self.assertEqual(self.peer.sent(), [])

    def test_silence(self) -> None:
        """Two intervals without a byte end the connection."""
        self.peer.clock.pump([5] * 4)
        self.assertEqual(self.peer.wire.ended, "")
        self.peer.clock.advance(5)
        self.assertEqual(
            (self.peer.wire.ended, self.peer.client.trouble),
            ("aborted", "no heartbeat from the broker"),
        )
        self.peer.clock.advance(0)
        self.assertEqual(self.peer.clock.getDelayedCalls(), [])

    def test_any_byte_counts(self) -> None:
        """Not only heartbeats are signs of life."""
        for _ in range(10):
            self.peer.clock.advance(5)
            self.peer.client.dataReceived(frame.Heartbeat().marshal()[:4])
            self.peer.client.dataReceived(frame.Heartbeat().marshal()[4:])
        self.assertEqual(self.peer.wire.ended, "")

    def test_ends_with_the_connection(self) -> None:
        """A connection that has gone has no heartbeat."""
        self.peer.wire.hang_up()
        self.peer.clock.advance(0)
        self.assertEqual(self.peer.clock.getDelayedCalls(), [])

    def test_negotiation(self) -> None:
        """0 is no wish of one's own."""
        pairs = ((0, 0, 0), (0, 5, 5), (5, 0, 5), (5, 7, 5), (7, 5, 5))
        self.assertEqual(
            [negotiate(ours, theirs) for ours, theirs, _ in pairs],
            [agreed for _, _, agreed in pairs],
        )

    def test_sending_that_fails(self) -> None:
        """Ends the connection."""

        def send() -> None:
            raise OSError("x")

        ended: list[Any] = []
        clock = Peer().clock
        heartbeat = Heartbeat(clock, send, lambda: ended.append(1))  # type: ignore[arg-type]
        heartbeat.start(10)
        clock.advance(5)
        clock.advance(5)
        self.assertEqual(ended, [1])
