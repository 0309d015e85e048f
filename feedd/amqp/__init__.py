"""
All that knows AMQP: the bell that carries an event from the process where it was posted to every
other.

From the wire inwards: `methods` and `fields` say what the bytes mean, `wire` packs and unpacks
them, `reader` cuts what arrives; `client`, `channel`, `delegate` and `heartbeat` mend txAMQP;
`address` and `link` keep one connection up; `session`, `topology`, `publisher`, `inbox` and `probe`
use it, for the authors in `following` and the names in `exchanges`; `broker` is the port. `local`
is the broker of a single process.
"""
