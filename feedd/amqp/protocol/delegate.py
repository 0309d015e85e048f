"""
The methods that the broker calls unasked, each with what is done then.

txAMQP's delegate lacks most of these, and there a method without one, or one that raises, ends the
connection without a word. Here both are counted and logged, and the connection lives.
"""

from functools import cache
from typing import Any

from txamqp.client import TwistedDelegate
from txamqp.message import Message
from txamqp.spec import pythonize

from feedd.amqp.protocol.channel import Channel

CAPABILITIES = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "exchange_exchange_bindings": True,
    "publisher_confirms": True,
}
"""
The extensions that we understand, so that the broker uses them: without the first, a wrong password
looks like a lost connection. Source: RabbitMQ, "Capabilities" of consumers and connections.
"""

MECHANISM = "PLAIN"


class Delegate(TwistedDelegate):  # type: ignore[misc]  # txAMQP has no types
    """Answers for one client, which sets itself as `client`."""

    client: Any

    def dispatch(self, channel: Channel, message: Any) -> None:
        """Hand `message` to the method named after it; never raises."""
        name = _name_of(message.method)
        answer = getattr(self, name, None)
        if answer is None:
            self.client.complain("amqp_unknown_methods", f"nothing to do for {name}")
            return
        try:
            answer(channel, message)
        except Exception as error:
            self.client.complain("amqp_errors", f"{name} failed: {error!r}")

    def connection_start(self, channel: Channel, message: Any) -> None:
        if MECHANISM.encode() not in message.mechanisms.split():
            self.client.fail(f"the broker offers no {MECHANISM} login")
            return
        channel.send(
            "connection.start-ok",
            client_properties={"product": "feedd", "capabilities": CAPABILITIES},
            mechanism=MECHANISM,
            response=self.client.login.plain_response(),
            locale="en_US",
        )

    def connection_secure(self, channel: Channel, message: Any) -> None:
        self.client.fail("the broker asks more than a password")

    def connection_tune(self, channel: Channel, message: Any) -> None:
        channel_max, frame_max, heartbeat = self.client.tune(
            message.channel_max, message.frame_max, message.heartbeat
        )
        channel.send(
            "connection.tune-ok", channel_max=channel_max, frame_max=frame_max, heartbeat=heartbeat
        )
        self.client.started.fire()

    def connection_blocked(self, channel: Channel, message: Any) -> None:
        self.client.set_blocked(message.reason.decode("utf-8", "replace") or "no reason given")

    def connection_unblocked(self, channel: Channel, message: Any) -> None:
        self.client.set_blocked(None)

    def connection_close(self, channel: Channel, message: Any) -> None:
        # The transport sends the answer before it closes.
        channel.send("connection.close-ok")
        self.client.do_close(message)

    def channel_close(self, channel: Channel, message: Any) -> None:
        channel.send("channel.close-ok")
        self.client.forget(channel)
        channel.do_close(message)

    def channel_flow(self, channel: Channel, message: Any) -> None:
        channel.send("channel.flow-ok", active=message.active)

    def basic_ack(self, channel: Channel, message: Any) -> None:
        # Looked up by their names, the two fields would be half of what a confirm costs.
        number, multiple = message.fields
        channel.observer.confirmed(number, multiple, True)

    def basic_nack(self, channel: Channel, message: Any) -> None:
        channel.observer.confirmed(message.delivery_tag, message.multiple, False)

    def basic_cancel(self, channel: Channel, message: Any) -> None:
        channel.observer.cancelled(message.consumer_tag)

    def basic_return_(self, channel: Channel, message: Any) -> None:
        # We publish nothing as mandatory, so nothing should come back.
        self.client.complain("amqp_returned", describe_return(message))


@cache
def _name_of(method: Any) -> str:
    return f"{pythonize(method.klass.name)}_{pythonize(method.name)}"


def describe_return(message: Message) -> str:
    """The broker's reason for sending a message back."""
    return f"{message.reply_code} {message.reply_text!r} for {message.exchange!r}"
