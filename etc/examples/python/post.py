"""
Posting to a feed from Python: rows in the log, and the bell.

    pip install PyMySQL pika
    DB_PASSWORD=... python post.py alice 'héllo 😀'

The rows may be written in a transaction of the site's own; feedd finds them by itself. The bell,
after the commit, makes it quicker, and may fail: the log has the event.
"""

import json
import os
import sys
import time

import pika
import pymysql


def post(database, author, text):
    """Keep a post of `author` and return its event, as feedd itself would publish it."""
    body = {"text": text}
    at = int(time.time() * 1000)
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO posts (author, body, created_at) VALUES (%s, %s, %s)",
            (author, json.dumps(body), at),
        )
        number = cursor.lastrowid
        cursor.execute(
            "INSERT INTO events (kind, author, post, payload, created_at) VALUES "
            "('post', %s, %s, %s, %s)",
            (author, number, json.dumps(body), at),
        )
        event = {
            "id": cursor.lastrowid,
            "kind": "post",
            "author": author,
            "post": number,
            "body": body,
            "at": at,
        }
    database.commit()
    return event


def ring(channel, event):
    """Publish an event to its author's exchange."""
    exchange = f"{event['author']}_feedExchange"
    channel.exchange_declare(exchange, "fanout", durable=True)
    channel.basic_publish(
        exchange, "", json.dumps(event), pika.BasicProperties(content_type="application/json")
    )


def main(author, text):
    """Post once."""
    database = pymysql.connect(
        host=os.environ.get("DB_HOST", "127.0.0.1"),
        port=int(os.environ.get("DB_PORT", "3306")),
        user=os.environ.get("DB_USER", "site"),
        password=os.environ.get("DB_PASSWORD", ""),
        database=os.environ.get("DB_NAME", "feedd"),
        charset="utf8mb4",
    )
    with database:
        event = post(database, author, text)
    print(event)
    try:
        with pika.BlockingConnection(
            pika.URLParameters(os.environ.get("BROKER", "amqp://guest:guest@127.0.0.1:5672/%2F"))
        ) as broker:
            ring(broker.channel(), event)
    except (pika.exceptions.AMQPError, OSError) as error:  # OSError: its name has no address
        print(f"no bell, the log has it: {error!r}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
