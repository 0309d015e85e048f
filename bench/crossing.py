"""
The time of a post from one process to a poll that is parked at another: ``python -m bench crossing
--posts 50``.

Also the time of a message that a producer publishes itself, through RabbitMQ alone. The bench
starts RabbitMQ, MariaDB, memcached and two feedd processes of its own, on loopback.
"""

import argparse
import http.client
import json
import statistics
import threading
import time
from contextlib import closing

import pika

from bench import result
from bench.measured import percentile
from tests.live import servers
from tests.live.daemon import Feedd
from tests.live.test_end_to_end import settings

SETTLE_SECONDS = 0.1


def ask(feedd: Feedd, method: str, path: str, body: object = None) -> dict[str, object]:
    """One request on a connection of its own; the backend key goes along."""
    connection = http.client.HTTPConnection(feedd.host, feedd.port, timeout=60)
    data = None if body is None else json.dumps(body)
    connection.request(method, path, data, {"Authorization": "Bearer demo"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    assert "error" not in answer, answer
    return answer


class Viewer(threading.Thread):
    """Bob at one process: polls on one connection, and notes when each numbered event came."""

    def __init__(self, feedd: Feedd, cursor: str, events: int) -> None:
        super().__init__(daemon=True)
        self.feedd = feedd
        self.cursor = cursor
        self.events = events
        self.seen: dict[int, float] = {}

    def run(self) -> None:
        """Poll until all events have come."""
        connection = http.client.HTTPConnection(self.feedd.host, self.feedd.port, timeout=60)
        while len(self.seen) < self.events:
            connection.request("GET", f"/feed/poll?as=bob&cursor={self.cursor}")
            answer = json.loads(connection.getresponse().read())
            at = time.monotonic()
            self.cursor = answer["cursor"]
            for event in answer["events"]:
                self.seen[event["body"]["number"]] = at


def crossing(settings: str, posts: int) -> tuple[list[float], list[float]]:
    """
    Milliseconds until each event is with the other process's viewer, ascending.

    First from the request of a post on, then from the publishing of a message on.
    """
    alices, bobs = Feedd(settings).start(), Feedd(settings).start()
    try:
        ask(alices, "POST", "/api/friendships", {"add": [{"viewer": "alice", "friend": "bob"}]})
        time.sleep(8)  # the friendship settles, so that cursors are short and nothing else moves
        viewer = Viewer(bobs, str(ask(bobs, "GET", "/feed/init?as=bob")["cursor"]), 2 * posts)
        viewer.start()
        begun = []
        for number in range(posts):
            time.sleep(SETTLE_SECONDS)
            begun.append(time.monotonic())
            ask(alices, "POST", "/feed/posts?as=alice", {"body": {"number": number}})
        with closing(
            pika.BlockingConnection(pika.URLParameters(servers.rabbitmq().url))
        ) as connection:
            channel = connection.channel()
            for number in range(posts, 2 * posts):
                time.sleep(SETTLE_SECONDS)
                begun.append(time.monotonic())
                channel.basic_publish(
                    "alice_feedExchange", "", json.dumps({"number": number}).encode()
                )
            viewer.join(60)
        times = [(viewer.seen[number] - at) * 1000 for number, at in enumerate(begun)]
        return sorted(times[:posts]), sorted(times[posts:])
    finally:
        alices.stop()
        bobs.stop()


def main(argv: list[str] | None = None) -> None:
    """Print the median and the spread, and write JSON when asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench crossing", description=__doc__)
    parser.add_argument("--posts", type=int, default=50)
    parser.add_argument("--json", help="a file for the figures")
    given = parser.parse_args(argv)
    posts, messages = crossing(settings(servers.mariadb().database()), given.posts)
    found = {
        "posts": given.posts,
        **{f"post_{name}": value for name, value in _spread(posts).items()},
        **{f"message_{name}": value for name, value in _spread(messages).items()},
    }
    print(json.dumps(found))
    result.write(given.json, result.document("crossing", **found))


def _spread(times: list[float]) -> dict[str, float]:
    middle, late, worst = statistics.median(times), percentile(times, 0.9), times[-1]
    return {"median_ms": round(middle, 2), "p90_ms": round(late, 2), "worst_ms": round(worst, 2)}


if __name__ == "__main__":
    main()
