"""Exchanges and bindings: in batches, and what is refused costs nobody else."""

from pika import spec

from feedd.amqp.refused import AGAIN_SECONDS, MATTERS_SECONDS
from feedd.amqp.topology import BATCH
from tests.unit.amqp_rig import BrokerTestCase, event


def exchanges(*authors: str) -> set[str]:
    """Their exchanges."""
    return {f"{author}_feedExchange" for author in authors}


class BatchTests(BrokerTestCase):
    """Many at once."""

    def test_all_in_few_answers(self) -> None:
        """A batch costs one answered call, not one for each exchange."""
        authors = [f"u{number}" for number in range(BATCH * 3)]
        self.start(*authors)
        self.assertEqual(self.rabbit.bindings, exchanges(*authors))
        self.assertEqual(self.count("Queue.Declare"), 1 + 3)
        self.assertTrue(all(self.rabbit.exchanges.values()))

    def test_what_comes_during_a_batch(self) -> None:
        """Is done after it."""
        self.start("alice")
        self.broker.follow("bob")
        self.clock.advance(0)
        self.broker.follow("carol")
        self.rabbit.run()
        self.assertEqual(self.rabbit.bindings, exchanges("alice", "bob", "carol"))

    def test_unbind_in_batches(self) -> None:
        """At the end all is unbound before the farewell."""
        authors = [f"u{number}" for number in range(BATCH * 2)]
        self.start(*authors)
        self.broker.stopService()
        self.rabbit.run()
        self.assertEqual((self.rabbit.bindings, self.count("Queue.Unbind")), (set(), BATCH * 2))

    def test_batch_that_hangs(self) -> None:
        """A batch that is not answered ends the connection, and the next one binds again."""
        self.start("alice", timeout_seconds=2)
        self.rabbit.silent = {"Queue.Declare"}
        self.broker.follow("bob")
        self.pass_time(3)
        self.assertIn("topology: queue.declare was not answered", self.broker.trouble)
        self.rabbit.silent = set()
        self.pass_time(30)
        self.assertEqual(self.rabbit.bindings, exchanges("alice", "bob"))


class AsItIsTests(BrokerTestCase):
    """Exchanges that others have declared otherwise."""

    def setUp(self) -> None:
        super().setUp()
        self.rabbit.exchanges = {"old_feedExchange": False, "older_feedExchange": False}

    def test_used(self) -> None:
        """They are used as they are, and everybody else in the batch is bound too."""
        self.start("alice", "old", "bob", "older")
        self.assertEqual(self.rabbit.bindings, exchanges("alice", "old", "bob", "older"))
        self.assertEqual((self.broker.trouble, len(self.rabbit.wires)), ("", 1))
        self.assertEqual(self.rabbit.exchanges["old_feedExchange"], False)

    def test_remembered(self) -> None:
        """The next connection asks at once for what is there, and no channel is lost."""
        self.start("alice", "old", "bob", "older")
        lost = self.count("Channel.CloseOk")
        self.assertGreater(lost, 0)
        self.wire.hang_up()
        self.pass_time(2)
        self.assertEqual(self.rabbit.bindings, exchanges("alice", "old", "bob", "older"))
        self.assertEqual(self.count("Channel.CloseOk"), lost)

    def test_gone_meanwhile(self) -> None:
        """One that has gone is declared as ours."""
        self.start("old")
        del self.rabbit.exchanges["old_feedExchange"]
        self.wire.hang_up()
        self.pass_time(2)
        self.assertEqual(self.rabbit.bindings, exchanges("old"))
        self.assertTrue(self.rabbit.exchanges["old_feedExchange"])

    def test_published_to(self) -> None:
        """What is posted goes to it."""
        self.start()
        self.broker.publish([event(1, "old"), event(2, "old")])
        self.rabbit.run()
        posts = [
            (exchange, properties.message_id)
            for exchange, _, properties, _ in self.rabbit.published
            if exchange
        ]
        self.assertEqual(posts, [("old_feedExchange", "1"), ("old_feedExchange", "2")])

    def test_consumer_and_publisher_unharmed(self) -> None:
        """The channels of the consumer and of the publisher are not those that are lost."""
        self.start("alice")
        self.broker.publish([event()])
        self.broker.follow("old")
        self.rabbit.run()
        self.assertEqual([heard.id for heard in self.events], [1])
        self.assertEqual(self.counters.snapshot(), {})


class RefusedTests(BrokerTestCase):
    """Exchanges that we may not have."""

    def test_no_right_to_declare(self) -> None:
        """One that is there is used all the same."""
        self.rabbit.forbidden = {"alice_feedExchange"}
        self.rabbit.exchanges = {"alice_feedExchange": True}
        self.start("alice", "bob")
        self.assertEqual(self.rabbit.bindings, exchanges("alice", "bob"))

    def test_not_to_be_had(self) -> None:
        """
        One that is not is counted once and given up until the next connection; the others are
        bound.
        """
        self.rabbit.forbidden = {"alice_feedExchange"}
        self.start("alice", "bob")
        self.assertEqual(self.rabbit.bindings, exchanges("bob"))
        self.assertTrue(self.broker.up)
        self.broker.publish([event()])
        self.broker.follow("carol")
        self.rabbit.run()
        self.assertEqual(self.counters.snapshot(), {"amqp_refused": 1, "amqp_publish_lost": 1})
        self.rabbit.forbidden = set()
        self.wire.hang_up()
        self.pass_time(2)
        self.assertEqual(self.rabbit.bindings, exchanges("alice", "bob", "carol"))

    def test_publishing_to_what_is_not_to_be_had(self) -> None:
        """
        The event is counted as lost, and so is the next one, without asking again, for a while; the
        broker's words say why.
        """
        self.rabbit.forbidden = {"alice_feedExchange"}
        self.start()
        self.broker.publish([event(1)])
        self.rabbit.run()
        declares = self.count("Exchange.Declare")
        self.broker.publish([event(2), event(3, "bob")])
        self.rabbit.run()
        self.assertEqual(self.counters.snapshot(), {"amqp_refused": 1, "amqp_publish_lost": 2})
        self.assertEqual(self.count("Exchange.Declare"), declares + 1)
        self.assertIn("alice_feedExchange", self.broker.trouble)
        self.rabbit.forbidden = set()
        self.pass_time(AGAIN_SECONDS)
        self.broker.publish([event(4)])
        self.rabbit.run()
        self.assertEqual((self.broker.trouble, self.broker.up), ("", True))
        self.assertEqual(self.counters["amqp_publish_lost"], 2)

    def test_refused_and_needed(self) -> None:
        """
        It is said for as long as somebody hears the author; the net, which finds what the bell did
        not bring, lets it be tried again.
        """
        self.rabbit.forbidden = {"alice_feedExchange", "bob_feedExchange"}
        self.start("alice")
        self.broker.publish([event(1, "bob")])
        self.rabbit.run()
        self.pass_time(2 * MATTERS_SECONDS)
        self.assertIn("alice_feedExchange", self.broker.trouble)
        self.rabbit.forbidden = set()
        self.broker.missed("alice")
        self.rabbit.run()
        self.assertEqual((self.broker.trouble, self.rabbit.bindings), ("", exchanges("alice")))

    def test_unbinding_what_has_gone(self) -> None:
        """Is no trouble."""
        self.start("alice", "bob", linger_seconds=1)
        del self.rabbit.exchanges["alice_feedExchange"]
        self.broker.unfollow("alice")
        self.pass_time(2)
        self.assertEqual(
            (self.broker.up, len(self.rabbit.wires), self.counters.snapshot()), (True, 1, {})
        )
        self.broker.follow("alice")
        self.rabbit.run()
        self.assertEqual(self.rabbit.bindings, exchanges("alice", "bob"))

    def test_our_queue_has_gone(self) -> None:
        """Then the connection is made anew."""
        self.start("alice")
        self.rabbit.silent = {"Queue.Declare", "Queue.Bind"}
        self.broker.follow("bob")
        self.rabbit.run()
        for number in (3, 4, 5):
            self.rabbit.close_channel(number, 404, "NOT_FOUND - no queue 'amq.gen-1' in vhost '/'")
            self.rabbit.run()
        self.assertEqual(
            self.broker.trouble,
            "rabbit0: topology: 404 NOT_FOUND - no queue 'amq.gen-1' in vhost '/'",
        )
        self.rabbit.silent = set()
        self.pass_time(1)
        self.assertEqual(self.rabbit.bindings, exchanges("alice", "bob"))

    def test_idle_channel_closed(self) -> None:
        """A channel that is closed while nothing is to be done is opened again when there is."""
        self.start("alice")
        self.rabbit.close_channel(3, 541, "INTERNAL_ERROR")
        self.rabbit.run()
        self.broker.follow("bob")
        self.rabbit.run()
        self.assertEqual(self.rabbit.bindings, exchanges("alice", "bob"))


class GoneTests(BrokerTestCase):
    """An exchange that is deleted under us."""

    def test_declared_and_bound_again(self) -> None:
        """
        Publishing to it finds out: it is declared again, and bound again where it was; others stay
        as they are.
        """
        self.start("alice", "bob")
        del self.rabbit.exchanges["alice_feedExchange"]
        self.rabbit.bindings.discard("alice_feedExchange")
        self.broker.publish([event(1)])
        self.rabbit.run()
        self.assertEqual(self.counters.snapshot(), {"amqp_publish_lost": 1})
        self.broker.publish([event(2), event(3, "bob")])
        self.rabbit.run()
        self.assertEqual([heard.id for heard in self.events], [2, 3])
        self.assertEqual((self.count("Queue.Bind"), len(self.rabbit.wires)), (3, 1))

    def test_unknown_exchange_gone(self) -> None:
        """When the broker does not say which, every exchange is looked after."""
        self.start("alice", "bob")
        self.rabbit.exchanges.clear()
        self.rabbit.bindings.clear()
        self.rabbit.close_channel(2, 404, "NOT_FOUND")
        self.rabbit.run()
        self.assertEqual(self.rabbit.bindings, exchanges("alice", "bob"))

    def test_publisher_channel_closed_otherwise(self) -> None:
        """Another error of the publisher's channel costs a channel, no more."""
        self.start("alice")
        self.rabbit.say(2, spec.Channel.Close(403, "ACCESS_REFUSED", 60, 40))
        self.rabbit.run()
        self.broker.publish([event()])
        self.rabbit.run()
        self.assertEqual((self.counters.snapshot(), [heard.id for heard in self.events]), ({}, [1]))
