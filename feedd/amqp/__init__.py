"""
The bell on RabbitMQ: it brings an event from the process where it was posted to every other.

`broker` is the port, over one connection at a time to one of the `hosts`. A `session` is what that
connection is used for: the `topology` binds the exchanges that the followed `authors` need, the
`inbox` makes events of messages, the `publisher` sends events as `event_frames`, the `probe` tests
the consumer. `exchanges` names exchanges. `local` is the broker of a single process.
"""
