"""What the ringer costs the database, feedd and RabbitMQ, beside feedd without one."""

import time
from typing import NamedTuple

import pymysql

from bench.process import cpu_seconds
from bench.ring.site import Site, Viewer, Writers
from tests.live import servers

SETTLE_SECONDS = 3.0


class Cost(NamedTuple):
    """
    Of one second. A whole core is 1000 ms.

    :ivar queries: what MariaDB counts, without those of the site's writers.
    :ivar ringer_ms: of the process that rings, the first one when nobody does.
    :ivar other_ms: of each other process.
    """

    processes: int
    ring_seconds: float
    rows_s: float
    queries: float
    mariadb_ms: float
    ringer_ms: float
    other_ms: float
    rabbitmq_ms: float


def cost(processes: int, ring_seconds: float, per_second: float, seconds: float) -> Cost:
    """So many processes, each of which hears the author; nobody polls any more."""
    with Site(processes, 1.0, ring_seconds) as site:
        viewers = [Viewer(feedd) for feedd in site.feedds]
        for viewer in viewers:
            viewer.over = False
            viewer.start()
        time.sleep(SETTLE_SECONDS)
        for viewer in viewers:
            viewer.over = True
        for viewer in viewers:
            viewer.join()
        ringer = site.ringer() if ring_seconds else 0
        writers = Writers(site, 8, per_second, 0.0) if per_second else None
        if writers is not None:
            writers.start()
        time.sleep(SETTLE_SECONDS)
        row = _measured(site, ringer, writers, seconds)
        if writers is not None:
            writers.stop()
        return row._replace(processes=processes, ring_seconds=ring_seconds)


def _measured(site: Site, ringer: int, writers: Writers | None, seconds: float) -> Cost:
    pids = [[servers.mariadb().pid], [servers.rabbitmq().pid]]
    pids += [[feedd.pid] for feedd in site.feedds]
    before, questions = [cpu_seconds(some) for some in pids], _questions()
    rows, began = len(writers.committed) if writers else 0, time.monotonic()
    time.sleep(seconds)
    spent = [cpu_seconds(some) for some in pids]
    took = time.monotonic() - began
    rows = (len(writers.committed) if writers else 0) - rows
    questions = _questions() - questions - 2 * rows  # an INSERT and a COMMIT
    ms = [(now - then) * 1000 / took for now, then in zip(spent, before, strict=True)]
    feedds = ms[2:]
    others = [each for index, each in enumerate(feedds) if index != ringer]
    other = sum(others) / len(others) if others else 0.0
    figures = (rows / took, questions / took, ms[0], feedds[ringer], other, ms[1])
    return Cost(0, 0.0, *(round(figure, 1) for figure in figures))


def _questions() -> int:
    server = servers.mariadb()
    connection = pymysql.connect(host=server.host, port=server.port, user="feedd")
    with connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Questions'")
        return int(cursor.fetchone()[1])  # type: ignore[index]
