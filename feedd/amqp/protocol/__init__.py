"""AMQP 0-9-1 on one connection: txAMQP's client, mended. It knows no event."""
