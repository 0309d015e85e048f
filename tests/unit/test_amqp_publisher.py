"""Publishing: what is sent, what waits, what is confirmed, what is dropped."""

from pika import spec

from feedd.amqp import publisher
from feedd.amqp.topology import MAX_REQUESTED
from feedd.core.event import Event
from tests.unit.amqp_peer import QUEUE
from tests.unit.amqp_rig import BrokerTestCase, event


class PublishTests(BrokerTestCase):
    """`Publisher`."""

    def setUp(self) -> None:
        super().setUp()
        self.start("alice")

    def posts(self) -> list[str]:
        """The ids that RabbitMQ has got, without the probe's."""
        return [
            properties.message_id
            for exchange, _, properties, _ in self.rabbit.published
            if exchange
        ]

    def publish(self, *ids: int, author: str = "alice", body: bytes = b"{}") -> None:
        self.broker.publish([event(id, author, body) for id in ids])
        self.rabbit.run()

    def test_message(self) -> None:
        """The event's bytes, named by its id, kind and author, not kept on disk."""
        post = event(5, "bob", '{"text":"😀 \u2028"}'.encode())
        self.broker.publish([post])
        self.rabbit.run()
        exchange, key, properties, body = self.rabbit.published[-1]
        self.assertEqual((exchange, key, body), ("bob_feedExchange", "bob", post.json))
        self.assertEqual(
            (properties.content_type, properties.message_id, properties.type),
            ("application/json", "5", "post"),
        )
        self.assertEqual(properties.delivery_mode, 1)

    def test_body_over_several_frames(self) -> None:
        """A large body arrives whole."""
        self.publish(1, body=b'"' + b"x" * 300_000 + b'"')
        self.assertEqual(
            len(self.events[0].json), len(event(1, body=b'"' + b"x" * 300_000 + b'"').json)
        )

    def test_one_write(self) -> None:
        """All that one turn of the reactor publishes is one write."""
        before = self.wire.writes
        self.broker.publish([event(1), event(2)])
        self.broker.publish([event(3)])
        self.clock.advance(0)
        self.assertEqual(self.wire.writes, before + 1)
        self.rabbit.run()
        self.assertEqual(self.posts(), ["1", "2", "3"])

    def test_channel_that_fails_before_the_write(self) -> None:
        """
        Nothing is written for a channel that has been closed meanwhile: that would end the
        connection.
        """
        self.rabbit.close_channel(2, 541, "INTERNAL_ERROR")
        self.broker.publish([event(1)])
        self.rabbit.arrive()
        self.rabbit.run()
        self.publish(2)
        self.assertEqual(
            (self.posts(), self.counters.snapshot()), (["2"], {"amqp_publish_lost": 1})
        )

    def test_order(self) -> None:
        """Those of one author arrive in order, also when the first waits for its exchange."""
        self.broker.publish([event(1, "bob"), event(2, "alice"), event(3, "bob")])
        self.broker.publish([event(4, "bob")])
        self.rabbit.run()
        self.publish(5, author="bob")
        self.assertEqual([id for id in self.posts() if id != "2"], ["1", "3", "4", "5"])

    def test_declared_once(self) -> None:
        """An exchange is declared before the first publish only."""
        declares = self.count("Exchange.Declare")
        self.publish(1, author="bob")
        self.publish(2, author="bob")
        self.assertEqual(self.count("Exchange.Declare"), declares + 1)

    def test_known_by_its_binding(self) -> None:
        """An exchange that was bound needs no declaring."""
        declares = self.count("Exchange.Declare")
        self.publish(1)
        self.assertEqual(self.count("Exchange.Declare"), declares)

    def test_bound_of_events(self) -> None:
        """
        What is over the bound of unconfirmed events is dropped and counted; confirms make room.
        """
        self.rabbit.confirms = False
        self.publish(*range(1, publisher.MAX_EVENTS + 3))
        self.assertEqual(
            (len(self.posts()), self.counters["amqp_publish_dropped"]), (publisher.MAX_EVENTS, 2)
        )
        self.rabbit.say(2, spec.Basic.Ack(publisher.MAX_EVENTS - 1, True))
        self.rabbit.run()
        self.publish(1, 2, *range(publisher.MAX_EVENTS))
        self.assertEqual(len(self.posts()), publisher.MAX_EVENTS * 2 - 1)

    def test_bound_of_bytes(self) -> None:
        """So it is with their bytes."""
        self.rabbit.confirms = False
        self.publish(*range(1, 40), body=b'"' + b"x" * 1_000_000 + b'"')
        self.assertEqual((len(self.posts()), self.counters["amqp_publish_dropped"]), (16, 23))
        self.rabbit.close_channel(2, 541, "INTERNAL_ERROR")
        self.rabbit.run()
        self.publish(1, body=b'"' + b"x" * 1_000_000 + b'"')
        self.assertEqual((len(self.posts()), self.counters["amqp_publish_lost"]), (17, 16))

    def test_bound_of_exchanges(self) -> None:
        """
        Of too many exchanges that wait to be declared the last are given up, counted; those
        declared make room.
        """
        self.rabbit.silent = {"Queue.Declare"}
        under_way = 1
        self.broker.publish(
            [event(number + 1, f"u{number}") for number in range(under_way + MAX_REQUESTED + 1)]
        )
        self.assertEqual(self.counters.snapshot(), {"amqp_publish_lost": 1})
        self.rabbit.run()
        self.rabbit.silent = set()
        self.rabbit.say(3, spec.Queue.DeclareOk(QUEUE, 0, 0))
        self.rabbit.run()
        self.broker.publish(
            [event(number + 1, f"v{number}") for number in range(under_way + MAX_REQUESTED)]
        )
        self.rabbit.run()
        self.assertEqual(
            (self.counters["amqp_publish_lost"], len(self.posts())),
            (1, 2 * (under_way + MAX_REQUESTED)),
        )

    def test_confirms(self) -> None:
        """
        One by one, out of order, many at once, all at once, and twice: the room is given back once.
        """
        self.rabbit.confirms = False
        for acks in (
            ((1, False), (3, False), (2, False)),
            ((2, True), (3, True)),
            ((0, True),),
            ((2, False), (2, False), (9, True)),
        ):
            self.assertEqual(self.unconfirmed_after(3, acks), 0)
            self.wire.hang_up()
            self.pass_time(1)

    def unconfirmed_after(self, events: int, acks: tuple[tuple[int, bool], ...]) -> int:
        self.publish(*range(1, events + 1))
        for number, multiple in acks:
            self.rabbit.say(2, spec.Basic.Ack(number, multiple))
        self.rabbit.run()
        before = self.counters["amqp_publish_lost"]
        self.rabbit.close_channel(2, 541, "INTERNAL_ERROR")
        self.rabbit.run()
        return self.counters["amqp_publish_lost"] - before

    def test_nacks(self) -> None:
        """What the broker could not take is counted."""
        self.rabbit.confirms = False
        self.publish(1, 2, 3)
        self.rabbit.say(2, spec.Basic.Nack(2, True), spec.Basic.Ack(3, False))
        self.rabbit.run()
        self.assertEqual(self.counters.snapshot(), {"amqp_publish_nacked": 2})

    def test_unconfirmed_when_the_connection_goes(self) -> None:
        """What was under way is counted, also what waited for its exchange."""
        self.rabbit.confirms = False
        self.publish(1, 2)
        self.rabbit.silent = {"Queue.Declare"}
        self.publish(3, author="bob")
        self.wire.hang_up()
        self.rabbit.run()
        self.assertEqual(self.counters.snapshot(), {"amqp_publish_lost": 3})

    def test_numbers_begin_again(self) -> None:
        """A fresh channel counts from 1."""
        self.publish(1, 2)
        self.rabbit.close_channel(2, 541, "INTERNAL_ERROR")
        self.rabbit.run()
        self.rabbit.confirms = False
        self.publish(3)
        self.rabbit.say(4, spec.Basic.Ack(1, False))
        self.rabbit.run()
        self.wire.hang_up()
        self.rabbit.run()
        self.assertEqual(self.counters.snapshot(), {})

    def test_while_the_channel_is_opened_again(self) -> None:
        """What is published in between waits for the channel."""
        self.rabbit.silent = {"Confirm.Select"}
        self.rabbit.close_channel(2, 541, "INTERNAL_ERROR")
        self.rabbit.run()
        self.publish(1, 2)
        self.assertEqual(self.posts(), [])
        self.rabbit.say(4, spec.Confirm.SelectOk())
        self.rabbit.run()
        self.assertEqual(self.posts(), ["1", "2"])

    def test_channel_that_cannot_be_opened(self) -> None:
        """Then the connection is made anew."""
        self.rabbit.silent = {"Confirm.Select"}
        self.rabbit.close_channel(2, 541, "INTERNAL_ERROR")
        self.rabbit.run()
        self.pass_time(6)
        self.assertIn("publishing: confirm.select was not answered", self.broker.trouble)

    def test_what_cannot_be_packed(self) -> None:
        """An event with a name that AMQP cannot carry is counted, and the next one goes."""
        self.broker.publish([Event(1, "k" * 256, "alice", None, None, b"{}"), event(2)])
        self.rabbit.run()
        self.assertEqual(
            (self.posts(), self.counters.snapshot()), (["2"], {"amqp_publish_lost": 1})
        )

    def test_returned(self) -> None:
        """A message that comes back, which none should, is counted."""
        self.rabbit.say(2, spec.Basic.Return(312, "NO_ROUTE", "e", "k"))
        self.rabbit.run()
        self.wire.protocol.dataReceived(b"\x02\0\x02\0\0\0\x0e\0\x3c\0\0\0\0\0\0\0\0\0\0\0\0\xce")
        self.assertEqual(self.counters.snapshot(), {"amqp_returned": 1})
