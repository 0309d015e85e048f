"""
One post to N parked polls: ``python -m bench.fanout --conns 1000 --rounds 10 --turns 3``.

feedd as a site runs it: a JWT for each viewer, RabbitMQ, MariaDB and memcached, a JSONP poll with a cursor. Beside it, in
turns in the same run, what is installed here of its peers: nginx with nchan (C). Machines are shared and drift, so compare the
ratios.
"""

import argparse
import http.client
import json
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.load import LOOPBACK, Measured, measure
from feedd.auth.token import make_token
from tests.live import servers
from tests.live.daemon import Feedd
from tests.live.test_end_to_end import settings

SECRET = "0123456789abcdef0123456789abcdef"
_CURSOR = re.compile(rb'"cursor":"([^"]*)"')
_TAG = re.compile(rb"(?i)last-modified: ([^\r]*)\r\n(?:.*\r\n)*?etag: ([^\r]*)\r\n")

_NCHAN = """
load_module {module};
worker_processes 1; daemon off; pid nginx.pid; error_log stderr warn;
events {{ worker_connections 19000; }}
http {{
  access_log off; keepalive_timeout 300; keepalive_requests 1000000; nchan_shared_memory_size 512M;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{
    listen 127.0.0.1:{port} backlog=20000;
    location = /pub {{ nchan_publisher; nchan_channel_id feed; nchan_message_buffer_length 100; nchan_message_timeout 10m; }}
    location = /lp {{ nchan_subscriber longpoll; nchan_channel_id feed; nchan_subscriber_first_message newest; }}
  }}
}}
"""


def post(port: int, path: str, body: object, headers: dict[str, str] | None = None) -> Any:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=30)
    connection.request("POST", path, json.dumps(body), headers or {})
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    assert response.status < 300, answer
    return answer


class FeeddPeer:
    """feedd on real services, with tokens."""

    name = "feedd"

    def __init__(self, lane: bool = True) -> None:
        self.name = "feedd" if lane else "feedd, plain way"
        self._lane = lane

    @contextmanager
    def running(self, number: int) -> Iterator[tuple[int, int]]:
        """Its port and process id, while it serves `number` friends of ``author``."""
        folder = Path(tempfile.mkdtemp(prefix="feedd-bench-"))
        (folder / "token.key").write_text(SECRET)
        (folder / "backend.key").write_text("backend")
        auth = f'[auth]\nmode = "token"\nsecret_file = "{folder}/token.key"\nbackend_key_file = "{folder}/backend.key"\n'
        feedd = Feedd(settings(servers.mariadb().database()) + auth, http=f"fast_lane = {str(self._lane).lower()}\n").start()
        try:
            for start in range(0, number, 5000):
                pairs = [{"viewer": f"u{i}", "friend": "author"} for i in range(start, min(start + 5000, number))]
                post(feedd.port, "/api/friendships", {"add": pairs, "mutual": False}, {"Authorization": "Bearer backend"})
            time.sleep(8)  # the friendships settle
            self._tokens = [make_token(SECRET, f"u{i}", int(time.time()) + 3600) for i in range(number)]
            self._author = make_token(SECRET, "author", int(time.time()) + 3600)
            yield feedd.port, feedd.pid
        finally:
            feedd.stop()
            shutil.rmtree(folder)

    def ask(self, index: int, answer: bytes) -> bytes:
        """The JSONP poll after `answer`."""
        cursor = _CURSOR.findall(answer)
        query = f"callback=cb{index}&token={self._tokens[index]}&cursor={cursor[-1].decode() if cursor else ''}"
        return f"GET /feed/poll?{query} HTTP/1.1\r\nHost: feed.example.org\r\n\r\n".encode()

    def publish(self, port: int, token: str) -> None:
        """A post of the author."""
        post(port, f"/feed/posts?token={self._author}", {"body": {"t": token}})


class NchanPeer:
    """nginx with nchan: a channel in the memory of one worker, no login, no friends, no database."""

    name = "nchan"
    MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so"

    @classmethod
    def installed(cls) -> bool:
        """Whether this machine has it (Debian: nginx-light, libnginx-mod-nchan)."""
        return shutil.which("nginx", path="/usr/sbin:/usr/bin") is not None and Path(cls.MODULE).exists()

    @contextmanager
    def running(self, number: int) -> Iterator[tuple[int, int]]:
        """Its port, and the process id of its worker."""
        folder, port = tempfile.mkdtemp(prefix="feedd-bench-"), servers.free_port()
        (Path(folder) / "nchan.conf").write_text(_NCHAN.format(module=self.MODULE, port=port))
        nginx = subprocess.Popen(
            ["/usr/sbin/nginx", "-p", folder + "/", "-c", folder + "/nchan.conf"], stderr=subprocess.DEVNULL
        )
        try:
            while not servers.answers(port, b"GET / HTTP/1.0\r\n\r\n"):
                time.sleep(0.05)
            worker = Path(f"/proc/{nginx.pid}/task/{nginx.pid}/children").read_text().split()[0]
            yield port, int(worker)
        finally:
            nginx.terminate()
            nginx.wait()
            shutil.rmtree(folder)

    def ask(self, index: int, answer: bytes) -> bytes:
        """The poll after `answer`."""
        tag = _TAG.search(answer)
        since = b"If-Modified-Since: %s\r\nIf-None-Match: %s\r\n" % (tag[1], tag[2]) if tag else b""
        return b"GET /lp HTTP/1.1\r\nHost: feed.example.org\r\n" + since + b"\r\n"

    def publish(self, port: int, token: str) -> None:
        """A message on the channel."""
        post(port, "/pub", {"t": token})


def main() -> None:
    """Measure, print a table, and write JSON when asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.fanout", description=__doc__)
    parser.add_argument("--conns", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="feedd without its fast lane as well")
    parser.add_argument("--json", help="a file for the figures")
    given = parser.parse_args()
    peers: list[Any] = [
        FeeddPeer(),
        *([FeeddPeer(lane=False)] if given.plain else []),
        *([NchanPeer()] if NchanPeer.installed() else []),
    ]
    found: dict[str, list[Measured]] = {}
    for _ in range(given.turns):
        for peer in peers:
            with peer.running(given.conns) as (port, pid):
                measured = measure(
                    port,
                    pid,
                    given.conns,
                    given.rounds,
                    peer.ask,
                    lambda token, port=port, peer=peer: peer.publish(port, token),
                )
            found.setdefault(peer.name, []).append(measured)
            print(peer.name, measured._replace(last_ms=[round(last, 1) for last in measured.last_ms]), flush=True)
    rows = {name: _row(turns) for name, turns in found.items()}
    for name, row in rows.items():
        print(f"{name:20} " + "  ".join(f"{key} {value:8.2f}" for key, value in row.items()))
    if given.json:
        Path(given.json).write_text(
            json.dumps({"conns": given.conns, "rounds": given.rounds, "turns": given.turns, "peers": rows})
        )


def _row(turns: list[Measured]) -> dict[str, float]:
    """Medians over the turns."""
    return {
        "last_ms": statistics.median(turn.last for turn in turns),
        "last_ms_low": min(turn.last for turn in turns),
        "last_ms_high": max(turn.last for turn in turns),
        "p50_ms": statistics.median(turn.p50_ms for turn in turns),
        "cpu_us": statistics.median(turn.cpu_us for turn in turns),
        "kib": statistics.median(turn.kib for turn in turns),
        "open_s": statistics.median(turn.open_s for turn in turns),
        "missing": sum(turn.missing for turn in turns),
    }


if __name__ == "__main__":
    main()
