"""A process that outlives the command that starts it: found again by the lock that it holds."""

import fcntl
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dem.errors import ChainError

_SECONDS = 60.0
"""A process has so long to start or to stop."""
_POLL_SECONDS = 0.1
_LOG_LINES = 5


class Process(ABC):
    """One of them, running or not."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is called."""

    @property
    @abstractmethod
    def log(self) -> Path:
        """What it prints."""

    @property
    @abstractmethod
    def lock(self) -> Path:
        """Held by the process as long as it lives, however it ends; says which process that is."""

    @property
    def pid(self) -> int | None:
        """Its process; none if it does not run."""
        try:
            with self.lock.open("r+", encoding="utf-8") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(lock.read())
        except FileNotFoundError:
            pass
        return None

    def spawn(self, command: Sequence[str | Path], more: Mapping[str, str] | None = None) -> None:
        """Start a command that does not run. more: environment variables beside this process's own."""
        with self.lock.open("w", encoding="utf-8") as lock, self.log.open("ab") as log:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock.fileno()],
                env={**os.environ, **(more or {})},
            )
            lock.write(str(process.pid))

    def await_ready(self, is_ready: Callable[[], bool], seconds: float = _SECONDS) -> None:
        """Wait until it is.

        Raises:
            ChainError: it ends, or is not ready in time.
        """
        deadline = time.monotonic() + seconds
        while not is_ready():
            if self.pid is None or time.monotonic() > deadline:
                raise ChainError(f"{self.title} does not start; the end of {self.log}:\n{self._last_words()}")
            time.sleep(_POLL_SECONDS)

    def ask_to_stop(self) -> None:
        """Let it end as it should; `await_end` sees to it."""
        self._signal(signal.SIGTERM)

    def await_end(self) -> None:
        """Wait until it has ended; it is killed if that takes long."""
        deadline = time.monotonic() + _SECONDS
        while self.pid is not None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would, if it runs."""
        while self.pid is not None:
            self._signal(signal.SIGKILL)
            time.sleep(_POLL_SECONDS)

    def _signal(self, number: int) -> None:
        if (pid := self.pid) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:])
