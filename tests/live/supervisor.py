"""
The supervisor ends what a test run started, whatever ends the run.

This program is started by `Supervisor` below and holds one end of a socket whose other end only its
owner has. It starts processes at the owner's word. When the socket closes, because the owner ended,
crashed or was killed, it kills all of them and whatever they had started, and removes the run's
folder. It is a subreaper, so that a process that detaches itself becomes its child and does not
escape.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class Supervisor:
    """
    The owner's side: a folder and processes that do not outlive this process.

    :ivar folder: a temporary folder, removed at the end.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="feedd-tests-"))
        self._lock = threading.Lock()
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._answers = ours.makefile("rb")
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), str(self.folder)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path | None = None
    ) -> int:
        """
        Start `command` and return its process id; its output goes to `log`, or where ours goes.
        """
        pid: int = self._ask(
            start=list(command), environment=dict(environment), log=str(log) if log else None
        )
        return pid

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to a process that `start` returned; nothing happens when it has ended."""
        self._ask(signal=number, pid=pid)

    def code(self, pid: int) -> int | None:
        """The exit code of the process (as in `subprocess`), or None while it runs."""
        code: int | None = self._ask(code=pid)
        return code

    def wait(self, pid: int, seconds: float) -> int | None:
        """As `code`, after waiting `seconds` at most."""
        deadline = time.monotonic() + seconds
        while (code := self.code(pid)) is None and time.monotonic() < deadline:
            time.sleep(0.03)
        return code

    def close(self) -> None:
        """Kill everything, remove the folder, and return when that is done."""
        with self._lock:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._answers.close()
            self._socket.close()
        self._process.wait()

    def _ask(self, **question: Any) -> Any:
        with self._lock:
            self._socket.sendall(json.dumps(question).encode() + b"\n")
            line = self._answers.readline()
        if not line:
            raise RuntimeError("the supervisor of the tests has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise OSError(answer["error"])
        return answer["value"]


class _Children:
    """The supervisor's side."""

    def __init__(self) -> None:
        self._running: set[int] = set()
        self._codes: dict[int, int] = {}

    def answer(self, question: dict[str, Any]) -> Any:
        self._reap()
        if "start" in question:
            return self._start(question["start"], question["environment"], question["log"])
        if "signal" in question:
            if question["pid"] in self._running:
                os.kill(question["pid"], question["signal"])
            return None
        return self._codes.get(question["code"])

    def _start(self, command: list[str], environment: dict[str, str], log: str | None) -> int:
        with open(log, "ab") if log else contextlib.nullcontext() as output:
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=_die_with_parent,  # the supervisor has one thread
            )
        process.returncode = 0  # it is reaped below, not by Popen
        self._running.add(process.pid)
        return process.pid

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._codes[ended[0]] = os.waitstatus_to_exitcode(ended[1])
                self._running.discard(ended[0])

    def end(self) -> None:
        """Kill children until none are left; the orphans of each become ours."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for pid in _children_of(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return


def _children_of(parent: int) -> list[int]:
    children = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            status = Path("/proc", entry, "stat").read_text() if entry.isdigit() else ""
            if status and int(status.rpartition(")")[2].split()[1]) == parent:
                children.append(int(entry))
    return children


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _die_with_parent() -> None:
    """Should even the supervisor be killed, its direct children go too."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _supervise(connection: socket.socket, folder: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(
            number, lambda number, frame: None
        )  # unlike SIG_IGN, children do not inherit it
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    children = _Children()
    try:
        with connection, connection.makefile("rb") as questions, contextlib.suppress(OSError):
            for line in questions:
                try:
                    answer = {"value": children.answer(json.loads(line))}
                except Exception as error:
                    answer = {"error": f"{type(error).__name__}: {error}"}
                connection.sendall(json.dumps(answer).encode() + b"\n")
    finally:
        children.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _supervise(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
