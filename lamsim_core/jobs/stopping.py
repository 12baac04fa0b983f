"""A stop asked for: seen by the job, and carried out by force when the job does not follow."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

_POLL_SECONDS = 0.2


class StopRequest:
    """Whether the user asked this job to stop: by the flag file, SIGTERM, or Ctrl-C."""

    def __init__(self, flag: Path) -> None:
        self._flag = flag
        self._signalled = False

    def made(self) -> bool:
        """Whether a stop was asked for; once True, always True."""
        if not self._signalled and self._flag.exists():
            self._signalled = True
        return self._signalled

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM and Ctrl-C as a request to save and stop; a second Ctrl-C interrupts at once.

        Signals reach the main thread only: in any other, the flag file alone is heard.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._hear) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self._signalled:
            raise KeyboardInterrupt
        self._signalled = True
        # The flag only tells readers; without room on the disk for it the stop is heard all the same.
        with suppress(OSError):
            self._flag.touch()


@contextmanager
def watchdog(request: StopRequest, grace: float, give_up: Callable[[], None]) -> Iterator[None]:
    """Call ``give_up`` from a thread when the body has not ended ``grace`` seconds after a stop was asked for."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_POLL_SECONDS):
            if request.made():
                if not over.wait(grace):
                    give_up()
                return

    thread = threading.Thread(target=watch, name="stop-watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
