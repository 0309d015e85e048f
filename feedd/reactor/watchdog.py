"""
Notices when the reactor stands still, and says where.

Everybody waits for one thread, so a turn that takes long makes all of them late. A second thread
looks at a heartbeat of the reactor, and when it stays out, at the stack of the reactor's thread:
that line of code is what everybody waits for.
"""

import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from feedd.core.counters import Counters

Frames = Callable[[], Mapping[int, FrameType]]

STALL_SECONDS = 0.2
BEAT_SECONDS = 0.1
LOG_SECONDS = 1.0
DEPTH = 30
OURS = "feedd."


class Heart:
    """
    When the reactor last turned, and what the watching thread makes of it.

    `beat` belongs to the reactor's thread, `look` to the other one. Each attribute is written by
    one of them only, but for the stall, which one thread makes and the other takes.
    """

    _log = Logger()

    def __init__(self, monotonic: Callable[[], float], frames: Frames, counters: Counters) -> None:
        self._monotonic = monotonic
        self._frames = frames
        self._counters = counters
        self._thread = 0
        self._beaten: float | None = None
        self._reported: float | None = None
        self._told: tuple[float, str] | None = None
        self._logged = -LOG_SECONDS
        self._planned = monotonic()

    def beat(self) -> None:
        """
        The reactor turns. Counts ``reactor_stalls``, here, because counters are not for two
        threads; and of a stall that was logged it says how long it was in the end.
        """
        now, told = self._monotonic(), self._told
        if self._beaten is not None and now - self._beaten >= STALL_SECONDS:
            self._counters.add("reactor_stalls")
            if told is not None and told[0] == self._beaten:
                self._log.warn(
                    "the reactor turns again: it has stood still for {seconds:.2f} seconds in all, "
                    "in {where}",
                    seconds=now - self._beaten,
                    where=told[1],
                )
        self._thread = threading.get_ident()
        self._beaten = now

    def look(self) -> float:
        """
        Log a stall that has not been logged, once a second at most; returns in how many seconds to
        look again.
        """
        now, beaten = self._monotonic(), self._beaten
        late, wait = now - self._planned, STALL_SECONDS
        if beaten is not None and now - beaten < STALL_SECONDS:
            wait = beaten + STALL_SECONDS - now
        elif beaten is not None and beaten != self._reported:
            self._reported = beaten
            if now - self._logged >= LOG_SECONDS:
                self._logged = now
                self._say(beaten, now - beaten, late)
        self._planned = now + wait
        return wait

    def _say(self, beaten: float, seconds: float, late: float) -> None:
        frame = self._frames().get(self._thread)
        where = _name_of(frame)
        self._told = (beaten, where)
        stack = (
            "".join(traceback.format_stack(frame, DEPTH))
            if frame is not None
            else "(its thread has ended)"
        )
        self._log.warn(
            "the reactor has stood still for {seconds:.2f} seconds{whole}, in {where}, and is here "
            "now:\n{stack}",
            seconds=seconds,
            where=where,
            # Then it need not be the code that is shown.
            whole=", with the whole process or in one call of a C function"
            if late >= STALL_SECONDS
            else "",
            stack=stack,
        )


def _name_of(frame: FrameType | None) -> str:
    """
    The function that everybody waits for, its module and line: the innermost of feedd, which may
    have called another library; the innermost of all where none is feedd's.
    """
    innermost = frame
    while frame is not None and not frame.f_globals.get("__name__", "").startswith(OURS):
        frame = frame.f_back
    found = frame or innermost
    if found is None:
        return "a thread that has ended"
    module = found.f_globals.get("__name__", "?")
    return f"{module}.{found.f_code.co_qualname} (line {found.f_lineno})"


class Watchdog(Service):
    """
    Logs a turn of the reactor that takes `STALL_SECONDS` or more, with its stack, once a second at
    most.

    One that is up to `BEAT_SECONDS` shorter may be logged as well: what is measured begins with the
    last heartbeat.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        counters: Counters,
        monotonic: Callable[[], float] = time.monotonic,
        frames: Frames = sys._current_frames,
    ) -> None:
        """
        :param clock: the reactor that is watched.
        """
        self._heart = Heart(monotonic, frames, counters)
        self._beating = LoopingCall(self._heart.beat)
        self._beating.clock = clock
        self._stopped = threading.Event()
        self._watcher: threading.Thread | None = None

    def startService(self) -> None:
        """Begin to watch when the reactor turns for the first time."""
        super().startService()
        beating = self._beating.start(BEAT_SECONDS, now=False)
        beating.addErrback(
            lambda failure: self._log.failure("the watchdog has ended", failure=failure)
        )
        self._stopped = threading.Event()
        self._watcher = threading.Thread(
            target=self._watch, args=(self._stopped,), name="feedd-watchdog", daemon=True
        )
        self._watcher.start()

    def stopService(self) -> Any:
        """Watch no longer; the thread has ended, unless it is just writing a line."""
        super().stopService()
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            self._stopped.set()
            self._beating.stop()
            watcher.join(LOG_SECONDS)

    def _watch(self, stopped: threading.Event) -> None:
        while not stopped.wait(self._heart.look()):
            pass
