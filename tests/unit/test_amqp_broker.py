"""The broker as a whole: what it says of itself, how it begins, ends, and begins again."""

from pika import spec
from twisted.internet.defer import Deferred

from tests.unit.amqp_peer import QUEUE
from tests.unit.amqp_rig import BrokerTestCase, event


class StartTests(BrokerTestCase):
    """From nothing to up."""

    def test_not_started(self) -> None:
        """Before it starts it is down, and says so."""
        self.assertEqual((self.broker.up, self.broker.trouble), (False, "not started"))

    def test_up(self) -> None:
        """It is up when it consumes and hears everybody who is followed; `changed` is told."""
        self.rabbit.silent = {"Basic.Consume"}
        self.start("alice")
        self.assertEqual(
            (self.broker.up, self.broker.trouble, self.flips), (False, "connecting", [])
        )
        self.rabbit.say(1, spec.Basic.ConsumeOk("ctag1"))
        self.rabbit.run()
        self.assertEqual((self.broker.up, self.broker.trouble, self.flips), (True, "", [True]))
        self.assertEqual(self.rabbit.bindings, {"alice_feedExchange"})

    def test_not_up_before_all_is_bound(self) -> None:
        """While the bindings are on their way the tail is still needed."""
        self.rabbit.silent = {"Basic.Consume"}
        self.start("alice")
        self.rabbit.silent = {"Queue.Declare"}
        self.rabbit.say(1, spec.Basic.ConsumeOk("ctag1"))
        self.rabbit.run()
        self.assertFalse(self.broker.up)
        self.rabbit.say(3, spec.Queue.DeclareOk(QUEUE, 0, 0))
        self.rabbit.run()
        self.assertTrue(self.broker.up)

    def test_lost_before_all_is_bound(self) -> None:
        """It was never up then."""
        self.rabbit.silent = {"Basic.Consume"}
        self.start("alice")
        self.rabbit.silent = {"Queue.Declare"}
        self.rabbit.say(1, spec.Basic.ConsumeOk("ctag1"))
        self.rabbit.run()
        self.wire.hang_up()
        self.rabbit.run()
        self.assertEqual((self.broker.up, self.flips), (False, []))

    def test_queue(self) -> None:
        """The queue is ours alone, goes with us, and drops its oldest message when it is full."""
        self.start(queue_length=77)
        declare = next(call for call in self.rabbit.calls if isinstance(call, spec.Queue.Declare))
        self.assertEqual(
            (declare.queue, declare.exclusive, declare.auto_delete, declare.durable),
            ("", True, True, False),
        )
        self.assertEqual(declare.arguments, {"x-max-length": 77, "x-overflow": "drop-head"})
        consume = next(call for call in self.rabbit.calls if isinstance(call, spec.Basic.Consume))
        self.assertTrue(consume.no_ack)

    def test_heard(self) -> None:
        """What arrives is delivered."""
        self.start("alice")
        self.hear(event())
        self.assertEqual(self.events, [event()])

    def test_heard_by_myself(self) -> None:
        """What it publishes for an author whom it follows comes back."""
        self.start("alice")
        self.broker.publish([event()])
        self.rabbit.run()
        self.assertEqual(self.events, [event()])


class FollowTests(BrokerTestCase):
    """follow and unfollow while up."""

    def test_follow(self) -> None:
        """An author is bound soon after; twice is as good as once."""
        self.start()
        self.broker.follow("alice")
        self.broker.follow("alice")
        self.rabbit.run()
        self.assertEqual(
            (self.rabbit.bindings, self.count("Queue.Bind")), ({"alice_feedExchange"}, 1)
        )

    def test_lingers(self) -> None:
        """An author is unbound `linger_seconds` after the last interest."""
        self.start("alice", linger_seconds=60)
        self.broker.unfollow("alice")
        self.pass_time(59)
        self.assertEqual(self.rabbit.bindings, {"alice_feedExchange"})
        self.hear(event())
        self.assertEqual(self.events, [event()])
        self.pass_time(2)
        self.assertEqual(self.rabbit.bindings, set())

    def test_back_in_time(self) -> None:
        """An author who is followed again while lingering is neither unbound nor bound anew."""
        self.start("alice", linger_seconds=60)
        self.broker.unfollow("alice")
        self.pass_time(30)
        self.broker.follow("alice")
        self.pass_time(100)
        self.assertEqual(self.rabbit.bindings, {"alice_feedExchange"})
        self.assertEqual((self.count("Queue.Bind"), self.count("Queue.Unbind")), (1, 0))

    def test_gone_while_being_bound(self) -> None:
        """An author who is unfollowed while the bind is under way is unbound after it."""
        self.start(linger_seconds=0.01)
        self.broker.follow("alice")
        self.broker.unfollow("alice")
        self.clock.advance(0.02)
        self.rabbit.run()
        self.assertEqual(self.rabbit.bindings, set())

    def test_shards(self) -> None:
        """Authors of one shard share a binding, until the last has gone."""
        self.start("a", "b", exchange="feed.{shard}", shards=1, linger_seconds=1)
        self.assertEqual(self.rabbit.bindings, {"feed.0"})
        self.broker.publish([event(1, "a"), event(2, "nobody"), event(3, "b")])
        self.rabbit.run()
        self.assertEqual([heard.id for heard in self.events], [1, 3])
        self.broker.unfollow("a")
        self.pass_time(2)
        self.assertEqual(self.rabbit.bindings, {"feed.0"})
        self.broker.unfollow("b")
        self.pass_time(2)
        self.assertEqual(self.rabbit.bindings, set())

    def test_when_idle(self) -> None:
        """
        `when_idle` fires when what was followed is bound; at once when there is nothing to do, or
        nobody to do it.
        """
        self.successResultOf(Deferred.fromCoroutine(self.broker.when_idle()))
        self.start()
        self.successResultOf(Deferred.fromCoroutine(self.broker.when_idle()))
        self.broker.follow("alice")
        idle = Deferred.fromCoroutine(self.broker.when_idle())
        self.assertNoResult(idle)
        self.rabbit.run()
        self.successResultOf(idle)
        self.assertEqual(self.rabbit.bindings, {"alice_feedExchange"})

    def test_while_connecting(self) -> None:
        """What is followed or unfollowed before the session is up is bound, or not, in the end."""
        self.rabbit.silent = {"Confirm.Select"}
        self.start("alice", linger_seconds=1)
        self.broker.follow("bob")
        self.broker.unfollow("alice")
        self.clock.advance(1)
        self.rabbit.say(2, spec.Confirm.SelectOk())
        self.rabbit.run()
        self.assertEqual(self.rabbit.bindings, {"bob_feedExchange"})


class EndTests(BrokerTestCase):
    """The end, wanted or not."""

    def test_stop(self) -> None:
        """It unbinds everything, says farewell and hangs up."""
        self.start("alice", "bob")
        self.stop_now()
        self.assertEqual(self.rabbit.bindings, set())
        self.assertEqual(self.rabbit.heard[-1], "Connection.Close")
        self.assertEqual(
            (self.broker.up, self.broker.trouble, self.flips), (False, "stopped", [True, False])
        )

    def stop_now(self) -> None:
        stopping = self.broker.stopService()
        self.rabbit.run()
        self.successResultOf(stopping)

    def test_stop_when_nobody_answers(self) -> None:
        """A broker that hangs does not hold us up for long."""
        self.start("alice")
        self.rabbit.silent = {"Queue.Unbind", "Connection.Close"}
        stopping = self.broker.stopService()
        self.pass_time(16)
        self.successResultOf(stopping)

    def test_stop_while_somebody_lingers(self) -> None:
        """Nothing is left behind."""
        self.start("alice", linger_seconds=60)
        self.broker.unfollow("alice")
        self.stop_now()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_while_connecting(self) -> None:
        """A session that is not up yet is ended too."""
        for method in ("Connection.StartOk", "Connection.Open", "Basic.Consume", "Confirm.Select"):
            self.rabbit.silent = {method}
            self.start("alice")
            self.stop_now()
            self.assertEqual((self.wire.ended, self.flips), ("aborted", []))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_and_start(self) -> None:
        """It may be started again."""
        self.start("alice")
        self.stop_now()
        self.broker.startService()
        self.rabbit.run()
        self.assertTrue(self.broker.up)

    def test_lost(self) -> None:
        """A lost connection is made again and everything bound again; `changed` is told of both."""
        self.start("alice")
        self.wire.hang_up()
        self.rabbit.run()
        self.assertEqual((self.broker.up, len(self.rabbit.wires)), (False, 1))
        self.assertIn("rabbit0", self.broker.trouble)
        self.pass_time(1)
        self.assertEqual((self.broker.up, self.rabbit.bindings), (True, {"alice_feedExchange"}))
        self.assertEqual(self.flips, [True, False, True])

    def test_cancelled(self) -> None:
        """A consumer that the broker cancels is built anew, with its queue."""
        self.start("alice")
        self.rabbit.say(1, spec.Basic.Cancel("ctag1"))
        self.rabbit.run()
        self.assertIn("cancelled our consumer", self.broker.trouble)
        self.pass_time(1)
        self.assertEqual((self.broker.up, len(self.rabbit.wires)), (True, 2))

    def test_consumer_channel_closed(self) -> None:
        """So it is when its channel is closed."""
        self.start("alice")
        self.rabbit.close_channel(1, 541, "INTERNAL_ERROR")
        self.rabbit.run()
        self.assertEqual(self.broker.trouble, "rabbit0: consuming: 541 INTERNAL_ERROR")
        self.pass_time(1)
        self.assertTrue(self.broker.up)

    def test_mute(self) -> None:
        """A consumer that gives nothing for ten seconds is built anew."""
        self.start("alice")
        self.pass_time(30)
        self.assertEqual(len(self.rabbit.wires), 1)
        self.rabbit.silent = {"Basic.Publish"}
        self.pass_time(9)
        self.assertTrue(self.broker.up)
        self.pass_time(4)
        self.assertEqual(len(self.rabbit.wires), 2)

    def test_blocked_is_not_mute(self) -> None:
        """While the broker blocks us it is not expected to deliver what it does not read."""
        self.start("alice")
        self.rabbit.say(0, spec.Connection.Blocked("low on memory"))
        self.rabbit.run()
        probes = self.count("Basic.Publish")
        self.pass_time(60)
        self.assertEqual((len(self.rabbit.wires), self.count("Basic.Publish")), (1, probes))


class AwayTests(BrokerTestCase):
    """The broker is away, or refuses us."""

    def test_nothing_raises(self) -> None:
        """Every method may be called at any time; what is published is counted."""
        for step in (lambda: None, self.refuse, self.broker.stopService):
            step()
            self.broker.follow("alice")
            self.broker.unfollow("bob")
            self.broker.publish([event(), event(2)])
        self.assertEqual(self.counters.snapshot(), {"amqp_publish_dropped": 6})

    def refuse(self) -> None:
        self.rabbit.refuse = True
        self.start()

    def test_refused(self) -> None:
        """A connection that is refused is tried again, later each time."""
        self.refuse()
        self.assertIn("refused", self.broker.trouble)
        self.assertEqual(self.clock.getDelayedCalls()[0].getTime(), 0.5)
        self.pass_time(100)
        self.rabbit.refuse = False
        self.pass_time(30)
        self.assertEqual((self.broker.up, self.broker.trouble, self.flips), (True, "", [True]))

    def test_wrong_password(self) -> None:
        """The trouble says what the broker says, and never the password."""
        self.rabbit.silent = {"Connection.StartOk"}
        self.start()
        self.rabbit.say(0, spec.Connection.Close(403, "ACCESS_REFUSED - Login was refused", 0, 0))
        self.rabbit.run()
        self.assertEqual(self.broker.trouble, "rabbit0: 403 ACCESS_REFUSED - Login was refused")
        self.assertNotIn("s3cret", self.broker.trouble)

    def test_patience_is_forgotten_when_ready_only(self) -> None:
        """A broker that logs us in and then refuses is not hammered."""
        self.rabbit.silent = {"Basic.Consume"}
        self.start(timeout_seconds=1)
        self.pass_time(60)
        self.assertLess(len(self.rabbit.wires), 9)
        self.assertIn("basic.consume was not answered", self.broker.trouble)

    def test_several_hosts(self) -> None:
        """They are tried in turn, one soon after the other."""
        self.rabbit.refuse = True
        self.start(hosts=3)
        troubles = [self.broker.trouble]
        for _ in range(2):
            self.clock.advance(0.1)
            troubles.append(self.broker.trouble)
        self.assertEqual([trouble[:7] for trouble in troubles], ["rabbit0", "rabbit1", "rabbit2"])
        self.clock.advance(0.1)
        self.assertEqual(self.broker.trouble[:7], "rabbit2")


class BlockedTests(BrokerTestCase):
    """connection.blocked."""

    def setUp(self) -> None:
        super().setUp()
        self.start("alice")
        self.rabbit.say(0, spec.Connection.Blocked("low on memory"))
        self.rabbit.run()

    def test_trouble(self) -> None:
        """
        Events do not travel, which is said at once; publishes are dropped and counted, and what
        arrives is heard.
        """
        self.assertEqual(
            (self.broker.up, self.broker.trouble),
            (False, "the broker takes no messages: low on memory"),
        )
        self.assertEqual((self.flips, self.counters["amqp_blocked"]), ([True, False], 1))
        self.broker.publish([event()])
        self.assertEqual(self.counters["amqp_publish_dropped"], 1)
        self.hear(event())
        self.assertEqual(self.events, [event()])

    def test_bound_later(self) -> None:
        """An author who is followed meanwhile is bound when the broker reads again."""
        self.broker.follow("bob")
        self.rabbit.run()
        self.assertEqual(self.rabbit.bindings, {"alice_feedExchange"})
        self.rabbit.say(0, spec.Connection.Unblocked())
        self.rabbit.run()
        self.assertEqual(self.rabbit.bindings, {"alice_feedExchange", "bob_feedExchange"})
        self.assertEqual((self.broker.trouble, self.flips), ("", [True, False, True]))


class MissedTests(BrokerTestCase):
    """The net has found what the bell did not bring."""

    def bindings(self) -> int:
        """How often our queue was bound."""
        return sum(isinstance(call, spec.Queue.Bind) for call in self.rabbit.calls)

    def missed(self, author: str) -> int:
        """How often it is bound because of that."""
        before = self.bindings()
        self.broker.missed(author)
        self.rabbit.run()
        return self.bindings() - before

    def test_bound_again(self) -> None:
        """
        Then the author's exchange is bound again, but not for every event of a site that never
        publishes.
        """
        self.start("alice")
        self.assertEqual([self.missed("alice"), self.missed("alice")], [1, 0])
        self.clock.advance(6)
        self.rabbit.run()
        self.assertEqual(self.missed("alice"), 1)

    def test_not_followed(self) -> None:
        """Nobody here hears the author: nothing was missed."""
        self.start("alice")
        self.assertEqual(self.missed("bob"), 0)

    def test_away(self) -> None:
        """Without a connection there is nothing to look at."""
        self.broker.missed("alice")
        self.assertEqual(self.counters["amqp_bound_again"], 0)
