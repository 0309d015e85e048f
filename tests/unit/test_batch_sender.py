"""The answers of a fan-out, sent when all have been worked out."""

from twisted.trial.unittest import SynchronousTestCase

from feedd.reactor.batch_sender import AT_ONCE, Outbox


class Sender:
    """Sends into a list that it shares."""

    def __init__(self, name: str, sent: list[tuple[str, bytes]]) -> None:
        self.send_now = lambda data: sent.append((name, data))


class OutboxTests(SynchronousTestCase):
    """`Outbox`."""

    def test_order(self) -> None:
        """What was kept is sent in its order, when the outbox is closed, once."""
        outbox, sent = Outbox(), list[tuple[str, bytes]]()
        outbox.open()
        for name, data in (("a", b"1"), ("b", b"2"), ("a", b"3")):
            outbox.keep(Sender(name, sent), data)
        self.assertEqual((sent, outbox.is_open), ([], True))
        outbox.close()
        self.assertEqual((sent, outbox.is_open), ([("a", b"1"), ("b", b"2"), ("a", b"3")], False))
        outbox.open()
        outbox.close()
        self.assertEqual(len(sent), 3)

    def test_many(self) -> None:
        """
        A long fan-out is sent in pieces: nobody waits for the whole, and no more than a piece is
        held.
        """
        outbox, sent = Outbox(), list[tuple[str, bytes]]()
        outbox.open()
        lengths = []
        for number in range(2 * AT_ONCE + 1):
            outbox.keep(Sender("a", sent), b"%d" % number)
            lengths.append(len(sent))
        self.assertEqual(lengths, [0] * (AT_ONCE - 1) + [AT_ONCE] * AT_ONCE + [2 * AT_ONCE] * 2)
        outbox.close()
        self.assertEqual(sent, [("a", b"%d" % number) for number in range(2 * AT_ONCE + 1)])

    def test_failure(self) -> None:
        """One that fails takes nobody else's answer with it."""
        outbox, sent = Outbox(), list[tuple[str, bytes]]()
        failing = Sender("a", sent)
        failing.send_now = lambda data: 1 / 0
        outbox.open()
        outbox.keep(failing, b"1")
        outbox.keep(Sender("b", sent), b"2")
        outbox.close()
        self.assertEqual(sent, [("b", b"2")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_closed_while_it_sends(self) -> None:
        """Who has something to say while it is sent out finds it closed."""
        outbox, seen = Outbox(), list[bool]()
        sender = Sender("a", [])
        sender.send_now = lambda data: seen.append(outbox.is_open)
        outbox.open()
        for data in (b"1", b"2"):
            outbox.keep(sender, data)
        outbox.close()
        self.assertEqual(seen, [False, False])
