"""
An AMQP 0-9-1 client that knows no event: txAMQP's, mended.

`methods` and `fields` say what the bytes mean, `frames` packs and unpacks them, `frame_reader` cuts
what arrives. `client`, `channel`, `closed`, `delegate`, `heartbeat` and `login` make a connection.
"""
