"""
The real servers of the live tests: RabbitMQ, MariaDB, MySQL and memcached, on free loopback ports,
with their data in a temporary folder.

`rabbitmq()`, `mariadb()`, `mysql()` and `memcached()` return the one that all tests share; the
classes make a private one for a test that stops, kills or freezes it. Everything here blocks.
"""

import functools
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

import pymysql

from tests.live.server import (
    HOST,
    PORTS_VARIABLE,
    START_SECONDS,
    STOP_SECONDS,
    NotInstalled,
    NotStarted,
    Server,
    answers,
    as_root,
    free_port,
    program,
    supervisor,
)

# The names of `tests.live.server` are offered here as well: a test imports one module.
__all__ = [
    "HOST",
    "PORTS_VARIABLE",
    "SHARED",
    "MariaDB",
    "Memcached",
    "MySQL",
    "NotInstalled",
    "NotStarted",
    "RabbitMQ",
    "Server",
    "answers",
    "free_port",
    "mariadb",
    "memcached",
    "mysql",
    "rabbitmq",
    "supervisor",
    "variable",
]


ROOT = Path(__file__).parents[2]


class Memcached(Server):
    """A memcached of 64 MB."""

    NAME = "memcached"

    def _launch(self) -> int:
        return self._run(
            [
                "memcached",
                "-l",
                HOST,
                "-p",
                str(self.port),
                "-U",
                "0",
                "-m",
                "64",
                "-c",
                "1024",
                *as_root("-u"),
            ]
        )

    def _ready(self) -> bool:
        return answers(self.port, b"version\r\n").startswith(b"VERSION")


class MariaDB(Server):
    """A MariaDB whose user `feedd`, without a password, may do anything from 127.0.0.1."""

    NAME = "mariadb"
    _DURABILITY = (
        "--innodb-flush-log-at-trx-commit=2",
        "--innodb-log-file-size=16M",
        "--innodb-buffer-pool-size=64M",
    )

    def database(self) -> str:
        """The URL of a fresh, empty database."""
        name = f"feedd_{random.getrandbits(48):012x}"
        self.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return f"mysql://feedd@{self.host}:{self.port}/{name}"

    def execute(self, statement: str) -> None:
        """Run one SQL statement as an administrator."""
        connection = pymysql.connect(
            host=self.host, port=self.port, user="feedd", connect_timeout=10
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def _prepare(self) -> None:
        self._write_users()
        command = [
            program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={self.folder}/data",
        ]
        command += [
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ]
        self._install(command)

    def _write_users(self) -> None:
        (self.folder / "init.sql").write_text(
            "CREATE USER IF NOT EXISTS 'feedd'@'127.0.0.1';\nGRANT ALL ON *.* TO "
            "'feedd'@'127.0.0.1' WITH GRANT OPTION;\n"
        )

    def _install(self, command: list[str]) -> None:
        """Lay out the data with this program."""
        done = subprocess.run(
            [*command, *self._DURABILITY, *as_root("--user")],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        )
        if done.returncode:
            raise NotStarted(f"{command[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    def _launch(self) -> int:
        return self._run(["mariadbd", "--no-defaults", *self._arguments()])

    def _arguments(self) -> list[str]:
        options = {
            "datadir": self.folder / "data",
            "socket": self._socket(),
            "pid-file": self.folder / "pid",
            "init-file": self.folder / "init.sql",
            "bind-address": HOST,
            "port": self.port,
            "max-connections": 200,
            "character-set-server": "utf8mb4",
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        return [*arguments, "--skip-name-resolve", *self._DURABILITY, *as_root("--user")]

    def _socket(self) -> str:
        """A path within the 107 bytes of a socket's address."""
        return os.path.relpath(self.folder / "sock", self.folder / "data")

    def _ready(self) -> bool:
        if not answers(self.port):
            return False
        try:
            self.execute("DO 1")
        except pymysql.Error:
            return False
        return True


class MySQL(MariaDB):
    """The same of Oracle's, which ``tests/mysql`` fetches."""

    NAME = "mysql"
    _DURABILITY = ("--innodb-flush-log-at-trx-commit=2", "--innodb-redo-log-capacity=32M")

    def _prepare(self) -> None:
        self._write_users()
        self._install([_mysqld(), "--initialize-insecure", f"--datadir={self.folder}/data"])

    def _launch(self) -> int:
        return self._run(
            [_mysqld(), *self._arguments(), "--performance-schema=OFF", "--disable-log-bin"]
        )


def _mysqld() -> str:
    """The program, which is fetched when it is not there yet. Raises as `program` does."""
    script = ROOT / "tests" / "mysql"
    fetched = subprocess.run([script], capture_output=True, text=True, check=False)
    if fetched.returncode:
        raise (NotStarted if os.environ.get("CI") else NotInstalled)(
            f"MySQL could not be fetched: {fetched.stderr.strip()}"
        )
    return fetched.stdout.strip()


class RabbitMQ(Server):
    """
    A RabbitMQ node with a name and an epmd of its own, without plugins; user and password are
    guest.
    """

    NAME = "rabbitmq"
    _SCRIPTS = Path(
        "/usr/lib/rabbitmq/bin"
    )  # Debian's /usr/sbin/rabbitmq* insist on the user rabbitmq
    _NO_STRANGERS = "-kernel inet_dist_use_interface {127,0,0,1}"

    def __init__(self) -> None:
        super().__init__()
        self._epmd = 0

    @property
    def url(self) -> str:
        """The URL for ``broker.url``."""
        return f"amqp://guest:guest@{self.host}:{self.port}/%2F"

    def ctl(self, *arguments: str) -> str:
        """
        The output of ``rabbitmqctl -q arguments``; a second or two. Raises
        `subprocess.CalledProcessError`.
        """
        command = [str(self._SCRIPTS / "rabbitmqctl"), "-q", *arguments]
        done = subprocess.run(
            command,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
        )
        if done.returncode:
            raise subprocess.CalledProcessError(
                done.returncode, arguments, done.stdout, done.stderr
            )
        return done.stdout

    def _end(self, number: int) -> None:
        super()._end(number)
        if self._epmd:
            supervisor().signal(self._epmd, signal.SIGKILL)
            supervisor().wait(self._epmd, STOP_SECONDS)
        self._epmd = 0

    def _prepare(self) -> None:
        (self.folder / "ports").write_text(f"{free_port()} {free_port()}")
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "environment").touch()
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {HOST}:{self.port}\n"
            "vm_memory_high_watermark.absolute = 2GB\n"
            "disk_free_limit.absolute = 1MB\n"
            "log.console = true\nlog.console.level = info\nlog.file = false\n"
        )

    def _launch(self) -> int:
        environment = self._environment()
        server = program(str(self._SCRIPTS / "rabbitmq-server"))
        self._epmd = self._run(
            ["epmd", "-address", HOST, "-port", environment["ERL_EPMD_PORT"]], environment
        )
        deadline = time.monotonic() + 10
        while not _listens(int(environment["ERL_EPMD_PORT"])) and time.monotonic() < deadline:
            time.sleep(0.02)
        return self._run([server], environment)

    def _ready(self) -> bool:
        return answers(self.port, b"AMQP\x00\x00\x09\x01").startswith(b"\x01\x00\x00")

    def _environment(self) -> dict[str, str]:
        epmd, distribution = (self.folder / "ports").read_text().split()
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RABBITMQ_", "ERL_"))
        }
        return inherited | {
            "HOME": str(self.folder),  # the cookie
            # rabbitmq-server then becomes the Erlang VM, so that a signal reaches it
            "detached": "true",
            "ERL_EPMD_PORT": epmd,
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_NODENAME": f"feedd-{self.port}-{epmd}@localhost",
            "RABBITMQ_DIST_PORT": distribution,
            "RABBITMQ_BASE": str(self.folder),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "environment"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{self._NO_STRANGERS} +S 2:2 +A 16",
            "RABBITMQ_CTL_ERL_ARGS": f"{self._NO_STRANGERS} +S 1:1",
        }


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


SHARED: dict[str, type[Server]] = {
    kind.NAME: kind for kind in (RabbitMQ, MariaDB, MySQL, Memcached)
}


def variable(name: str) -> str:
    """The environment variable through which ``tests/run`` hands over the shared server `name`."""
    return f"FEEDD_TEST_{name.upper()}"


@functools.cache
def _shared(kind: type[Server]) -> Server:
    description = os.environ.get(variable(kind.NAME))
    return kind.attach(description) if description else kind().start()


def rabbitmq() -> RabbitMQ:
    """The RabbitMQ that all tests of this run share."""
    server = _shared(RabbitMQ)
    assert isinstance(server, RabbitMQ)
    return server


def mariadb() -> MariaDB:
    """The MariaDB that all tests of this run share."""
    server = _shared(MariaDB)
    assert isinstance(server, MariaDB)
    return server


def mysql() -> MySQL:
    """The MySQL that all tests of this run share."""
    server = _shared(MySQL)
    assert isinstance(server, MySQL)
    return server


def memcached() -> Memcached:
    """The memcached that all tests of this run share."""
    server = _shared(Memcached)
    assert isinstance(server, Memcached)
    return server
