"""A household whose meter tells an agent over MQTT, for a live market in which its broker goes away; and its bank."""

import csv
import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from support.mqtt import KINDS, Broker

from dem.chain.accounts import KeyAccount, open_keystore
from dem.gateway.client import Client
from dem.messages.members import Withdrawal
from dem.model.calendar import CalendarParameters
from dem.roles.joining import Newcomer

ANNUAL_KWH = 3_500
DRAWS = 40
"""Wh in every period."""
TOPIC, SERIAL = "meters/told", "told-1"
TOLD_AGAIN = 20
"""Readings that a meter tells with each new one: what it told while its broker was away, it tells again."""
IBAN = "AT611904300234573201"


@dataclass
class Home:
    """Files and keys of a newcomer, what its meter shows, and the broker between them and the agent."""

    folder: Path
    gateway: str
    _end: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "broker").mkdir()
        self.broker = Broker(KINDS[0], self.folder / "broker")
        self.client = Client(self.gateway)
        self.calendar = CalendarParameters(**self.client.market["calendar"])
        self.newcomer = Newcomer(self.folder, self.gateway)
        self.newcomer.make(ANNUAL_KWH, self.calendar.periods_per_day)
        self.own = Client(self.gateway, self._key("account").key)
        (self.folder / "meter.key").write_text(self._key("meter").key.hex(), encoding="utf-8")
        (self.folder / "meter.key").chmod(0o600)
        self.agent.write_text(
            f'gateway = "{self.gateway}"\ntolerance_seconds = 1\n[broker]\nport = {self.broker.port}\n'
            f'client_id = "agent"\n[[meters]]\nserial = "{SERIAL}"\ntopic = "{TOPIC}"\nformat = "json"\n'
            'key_file = "meter.key"\n',
            encoding="utf-8",
        )
        self._telling = threading.Thread(target=self._tell, daemon=True)

    @property
    def agent(self) -> Path:
        """Configuration of its meter's agent."""
        return self.folder / "agent.toml"

    def _key(self, name: str) -> KeyAccount:
        return open_keystore(self.folder / "keys" / f"{name}.json", self.folder / "passphrase")

    # -------------------------------------------------------------------------------------------------- the meter

    def start(self) -> None:
        """Its broker, and its meter."""
        self.broker.start()
        self._telling.start()

    def stop(self) -> None:
        """Both."""
        self._end.set()
        self._telling.join()
        self.broker.stop()

    def _tell(self) -> None:
        """At each end of a period the registers, and those before."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="meter")
        client.reconnect_delay_set(1, 1)
        client.connect_async("127.0.0.1", self.broker.port)
        client.loop_start()
        length = self.calendar.period_length
        last = int(time.time()) // length
        while not self._end.wait(max(0.0, (last + 1) * length + 0.1 - time.time())):
            last += 1
            for number in range(last - TOLD_AGAIN, last + 1):
                client.publish(TOPIC, json.dumps(self._reading(number * length)), qos=1)
        client.loop_stop()

    def _reading(self, at: int) -> dict[str, object]:
        counted = max(0, at - self.calendar.opening + 10**6) // self.calendar.period_length
        return {
            "meter": SERIAL,
            "at": f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "import_wh": DRAWS * counted,
            "export_wh": 0,
        }

    # --------------------------------------------------------------------------------------------------- the broker

    def lose_broker(self, periods: int) -> range:
        """Stop it for so many periods; the days in which it was away."""
        first = self._day()
        self.broker.stop()
        time.sleep(periods * self.calendar.period_length)
        self.broker.start()
        return range(first, self._day() + 1)

    def _day(self) -> int:
        return (int(time.time()) - self.calendar.opening) // self.calendar.day_length + 1

    # ----------------------------------------------------------------------------------------------------- the bank

    def ask_for_money(self, cents: int, banks: Path) -> str:
        """Sign for money to one's bank, of which the treasurer now knows the account."""
        with banks.open("a", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerow((self.own.account, "A newcomer", IBAN))
        message = Withdrawal(self.own.account, cents * 10**6, True, 1)
        return self.own.send("Accounts", message)

    def state_of(self, id_: str) -> str:
        """Of a message, as the gateway has it; empty while it does not answer."""
        with suppress(OSError):
            self.own.log_in()
            return str(self.own.status(id_)["state"])
        return ""
