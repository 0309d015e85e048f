"""Messages as another feedd of the same database publishes them."""

import pika

from feedd.amqp.seal import HEADER, Seal
from feedd.core.event import Event

SEALED_WITH = ("k1", b"a key")
"""Epoch and key of the tests' database."""


def sealed(event: Event) -> pika.BasicProperties:
    """The properties that seal `event`."""
    seal = Seal()
    seal.begin(*SEALED_WITH)
    return pika.BasicProperties(headers={HEADER: seal.of(event.json).decode()})
