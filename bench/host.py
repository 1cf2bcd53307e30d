"""What the benchmarks with a node share: the machine in words, a node of one's own, and what memory a process takes."""

import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FLAGS = ("--prune-history",)
"""anvil otherwise keeps the state after every block, and that is what fills its memory: 7.7 GB before a town of 10,000
is registered. It keeps the logs of all blocks either way."""

_START_SECONDS = 30.0


def machine() -> str:
    """Cores, processor, system and Python."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores of {model}, {platform.system()}, Python {platform.python_version()}"


@dataclass(frozen=True, slots=True)
class Node:
    """A running anvil."""

    pid: int
    port: int
    version: str
    flags: tuple[str, ...]

    @property
    def network(self) -> str:
        """As `ape run --network` takes it."""
        return f"ethereum:local:http://127.0.0.1:{self.port}"

    @property
    def command(self) -> str:
        """How it was started, for people."""
        return " ".join(("anvil", "--enable-tx-gas-limit", *self.flags))


@contextmanager
def anvil(*flags: str) -> Iterator[Node]:
    """A fresh node on the loopback, with the transaction gas limit of EIP-7825, as the project's wrapper starts it."""
    program = str(Path(sys.executable).with_name("anvil"))
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    port = free_port()
    process = subprocess.Popen([program, "--silent", "--port", str(port), *flags], stdout=subprocess.DEVNULL)
    try:
        _await(port)
        yield Node(process.pid, port, version, flags)
    finally:
        process.kill()
        process.wait()


def memory_mb(pid: int, peak: bool = False) -> int:
    """Resident memory of a process, MB: now, or the most it ever had. Linux only."""
    name = "VmHWM:" if peak else "VmRSS:"
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(name)) // 1024


def family(pid: int) -> list[int]:
    """A process and those that it has started, and so on. Linux only."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(one for child in children for one in family(int(child)))]


def shared_memory_mb(pids: Sequence[int]) -> int:
    """Memory of some processes together, MB; what they share counts once. Linux only."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii") for pid in pids]
    return sum(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("Pss:")) // 1024


def processor_seconds(pid: int) -> float:
    """Processor time a process has used, s. Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def family_seconds(pid: int) -> float:
    """Processor time of a process and those that it has started, also those that have ended, s. Linux only.

    Each has one thread, so that its time is known to the nanosecond; of those that have ended, to 10 ms.
    """
    running = sum(int(Path(f"/proc/{one}/schedstat").read_text(encoding="ascii").split()[0]) for one in family(pid))
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return running / 1e9 + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
