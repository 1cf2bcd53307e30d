"""An MQTT broker on this machine and a free port: mosquitto where it is installed, or amqtt from PyPI."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

MOSQUITTO = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
KINDS = [*(["mosquitto"] if MOSQUITTO else []), "amqtt"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """One that can be ended and started again at the same port."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.port, self._folder = kind, free_port(), folder
        self._process: subprocess.Popen[bytes] | None = None
        if kind == "mosquitto":
            lines = f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n"
            lines += f"persistence true\npersistence_location {folder}/\nmax_queued_messages 0\n"
            self._config = folder / "mosquitto.conf"
        else:
            lines = f"listeners:\n  default:\n    type: tcp\n    bind: 127.0.0.1:{self.port}\n"
            lines += "plugins:\n  amqtt.plugins.authentication.AnonymousAuthPlugin:\n    allow_anonymous: true\n"
            self._config = folder / "amqtt.yaml"
        self._config.write_text(lines, encoding="utf-8")

    def start(self) -> None:
        command = [MOSQUITTO, "-c"] if self.kind == "mosquitto" else [str(Path(sys.executable).parent / "amqtt"), "-c"]
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen([*map(str, command), str(self._config)], stdout=log, stderr=log)
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                log_text = (self._folder / "broker.log").read_text(encoding="utf-8")
                assert self._process.poll() is None, log_text
                assert time.monotonic() < end, log_text
                time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
            self._process = None
