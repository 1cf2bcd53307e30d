"""Everything a live market is made of, in one folder: keys, settings and tables of every role.

What people do and what their meters show comes from a scenario, as tables. The services know nothing of it.
"""

import csv
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import shorten
from typing import Any

from dem.chain.accounts import KeyAccount, make_keystore, write_secret
from dem.community.crowd import Crowd
from dem.community.scenario import Kind, Participant, Scenario
from dem.deployment.market import ADMIN, HUMAN_ROLES, MANIFEST, RELAYER
from dem.deployment.plan import Offices
from dem.errors import InputError
from dem.model.units import UnitsPerWh, currency, price_per_kwh

HOST = "127.0.0.1"
TABLE_DAYS = 14
"""Days of the scenario that the tables hold; then they begin anew."""
FIRST_PAYMENT = "1000"
"""Currency that every member has paid in, newcomers too."""
STANDBY_SECONDS = 15
HOMES_A_PROCESS = 12
_DEVNET = "ethereum:devnet:node"
_MARK = "town.json"
_VERSION = 3
"""Of the files: 2 has a biller, 3 money out to banks."""
_BILLS = "bills"
_LONGEST_NAME = 60
"""Of a market, on a gateway's pages."""
_GRID, _BOUNDARY, _GATEWAY = "grid-operator", "boundary", "gateway"
BILLER = "biller"
ON_CHAIN = ("operator", "operator-2", "registrar", "treasurer", "supplier", "clerk", "metering", "relayer")
"""Services with a connection to the chain, in the order of their ports; each has settings and a key of its name."""


@dataclass(frozen=True)
class Town:
    """The files of a live market. port: the node's; the gateway and the services have those that follow.

    nodes: addresses of a network that runs already; without them the market has an anvil of its own. state: URL of the
    database of what the gateway remembers; without one it is a file here.
    """

    folder: Path
    port: int
    nodes: tuple[str, ...] = ()
    state: str = ""

    @classmethod
    def existing(cls, folder: Path, port: int) -> "Town":
        """The market that a folder is of."""
        nodes = json.loads((folder / _MARK).read_text(encoding="utf-8")).get("nodes", ())
        return cls(folder, port, tuple(nodes))

    # ----------------------------------------------------------------------------------------------- addresses

    @property
    def network(self) -> str:
        """The nodes, as --network takes them."""
        return _DEVNET if self.nodes else f"ethereum:local:{self.node}"

    @property
    def node(self) -> str:
        """The address of the node, or of one of them."""
        return next(iter(self.nodes), f"http://{HOST}:{self.port}")

    @property
    def gateway(self) -> str:
        """The gateway's address."""
        return f"http://{HOST}:{self.port + 1}"

    def port_of(self, service: str) -> int:
        """Of /health and /metrics of a service."""
        return self.port + 2 + self.services.index(service)

    @property
    def manifest(self) -> Path:
        """What was deployed where."""
        return self.folder / MANIFEST

    @property
    def index(self) -> Path:
        """The index of the market."""
        return self.folder / "index.sqlite"

    @property
    def passphrase(self) -> Path:
        """Of all keystores here: one person starts them all. Where roles are many people's, each has its own."""
        return self.folder / "passphrase"

    def settings(self, service: str) -> Path:
        """Of one service that is alone in its process."""
        return self.folder / f"{service}.toml"

    def key(self, name: str) -> KeyAccount:
        """An account that is made if it is not there."""
        return make_keystore(self.folder / "keys" / f"{name}.json", self.passphrase)

    # ------------------------------------------------------------------------------------------------ services

    @cached_property
    def homes(self) -> list[str]:
        """Names of the households."""
        return sorted(path.stem for path in (self.folder / "households").glob("*.toml"))

    @cached_property
    def services(self) -> list[str]:
        """All that have a port of their own, in the order of their ports."""
        many = [f"{kind}-{n}" for kind, parts in self.groups.items() for n in range(1, len(parts) + 1)]
        return [*ON_CHAIN, *many, BILLER]

    @property
    def groups(self) -> Mapping[str, list[list[Path]]]:
        """Settings of the households and meters that share a process, by kind."""
        homes = [self.folder / "households" / f"{name}.toml" for name in self.homes]
        meters = [self.folder / "meters" / f"{name}.toml" for name in (*self.homes, _BOUNDARY)]
        return {"households": _parts(homes), "meters": _parts(meters)}

    # --------------------------------------------------------------------------------------------------- making

    def make(self, scenario: Scenario) -> None:
        """Write all files, unless they are there.

        Raises:
            InputError: the folder has another scenario's.
        """
        mark = self.folder / _MARK
        own = {"scenario": scenario.config.name, "port": self.port, "version": _VERSION, "nodes": [*self.nodes]}
        if mark.exists():
            held = json.loads(mark.read_text(encoding="utf-8"))
            if held != own:
                raise InputError(
                    str(self.folder),
                    held,
                    "is of another market, or an older version's: name another folder with --out",
                )
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        write_secret(self.passphrase, secrets.token_hex(32) + "\n")
        days = range(1, min(TABLE_DAYS, scenario.calendar.days) + 1)
        _write(
            self.folder / "tariffs.csv",
            ("day", "slot", "buy", "sell"),
            (
                (day, slot, price_per_kwh(tariff.buy), price_per_kwh(UnitsPerWh(tariff.sell)))
                for day in days
                for slot, tariff in enumerate(scenario.tariffs(day))
            ),
        )
        members = scenario.of_kind(Kind.CONSUMER, Kind.PROSUMER)
        self._write_tables(scenario, days, members)
        for name in ON_CHAIN:
            self.key(name)
        self._write_offices(scenario)
        for member in members:
            self._write_home(member)
        self._write_meter(_BOUNDARY)
        mark.write_text(json.dumps(own), encoding="utf-8")

    def _write_tables(self, scenario: Scenario, days: Iterable[int], members: Sequence[Participant]) -> None:
        """What households expect, and what meters show. Stores run as if nothing had been traded."""
        ids = {member.name: number for number, member in enumerate(scenario.participants, start=1)}
        grid = scenario.of_kind(Kind.GRID_OPERATOR)[0].name
        shown: dict[str, list[tuple[int, int, int]]] = {}
        expected: dict[str, list[tuple[int, int, int]]] = {}
        for day in days:
            crowd = Crowd(scenario, day)
            for found, values in ((shown, crowd.shown(ids, {}, None)), (expected, crowd.forecasts)):
                for name, energies in values.items():
                    found.setdefault(name, []).extend((day, slot, int(wh)) for slot, wh in enumerate(energies))
        columns = ("day", "slot", "net_wh")
        for member in members:
            _write(self.folder / "meters" / f"{member.name}.csv", columns, shown[member.name])
            _write(self.folder / "households" / f"{member.name}.csv", columns, expected[member.name])
        _write(self.folder / "meters" / f"{_BOUNDARY}.csv", columns, shown[grid])

    def _write_offices(self, scenario: Scenario) -> None:
        folder = {"network": self.network, "folder": "."}
        limits = {
            address: currency(scenario.of_kind(kind)[0].credit_limit)
            for kind, address in (
                (Kind.FALLBACK_SUPPLIER, self.offices.supplier),
                (Kind.GRID_OPERATOR, self.offices.grid_operator),
            )
        }
        coins = {"coins": True} if scenario.config.coins else {}
        more: dict[str, dict[str, Any]] = {
            "operator": coins,
            "operator-2": {"standby_seconds": STANDBY_SECONDS, "pause_seconds": 5, **coins},
            "registrar": {"admit": "everyone", "pause_seconds": 2},
            "treasurer": {
                "first_payment": FIRST_PAYMENT,
                "pause_seconds": 2,
                "gateway": self.gateway,
                "payer_name": shorten(scenario.config.title, _LONGEST_NAME, placeholder="..."),
                "payer_iban": _iban(0),
                "currency": scenario.config.currency,
            },
            "supplier": {"pause_seconds": 5},
            "clerk": {"pause_seconds": 5, "credit_limits": limits},
            "metering": {"inbox": "inbox-metering"},
            "relayer": {"inbox": "inbox-relayer"},
        }
        _write(self.folder / "payments.csv", ("account", "amount", "reference", "salt"), ())
        people = enumerate(scenario.of_kind(Kind.CONSUMER, Kind.PROSUMER), start=1)
        accounts = [(self.key(f"{one.name}-account").address, one.name, _iban(number)) for number, one in people]
        _write(self.folder / "banks.csv", ("account", "name", "iban"), accounts)
        for name in ON_CHAIN:
            own = {**folder, "keystore": f"keys/{name}.json", "passphrase_file": "passphrase"}
            self._write_settings(self.settings(name), {**own, **more.get(name, {})})
        self.key(_GATEWAY)
        limits_of_one_machine = {
            "requests_per_minute": 100_000,
            "messages_per_minute": 100_000,
            "logins_per_minute": 100_000,
        }
        local = {"currency": scenario.config.currency, "timezone": _zone(scenario)}
        biller = {"folder": ".", "index": self.index.name, "bills": _BILLS, "series": scenario.config.name, **local}
        self._write_settings(self.settings(BILLER), biller)
        gateway: dict[str, Any] = {
            "folder": ".",
            "name": shorten(scenario.config.title, _LONGEST_NAME, placeholder="..."),
            **local,
            "bills": _BILLS,
            "port": self.port + 1,
            "keystore": f"keys/{_GATEWAY}.json",
            "passphrase_file": "passphrase",
            "limits": limits_of_one_machine,
            "offices": {"treasurer": [self.key("treasurer").address]},
        }
        if self.state:
            gateway["state"] = self.state
        self._write_settings(self.settings(_GATEWAY), gateway)

    def _write_home(self, member: Participant) -> None:
        name = member.name
        self.key(f"{name}-account")
        own = {
            "gateway": self.gateway,
            "keystore": f"../keys/{name}-account.json",
            "passphrase_file": "../passphrase",
            "meter": self.key(f"{name}-meter").address,
            "kind": member.kind.value,
            "import_capacity_wh": member.import_capacity,
            "export_capacity_wh": member.export_capacity,
            "feeder": member.bus,
            "expected": f"{name}.csv",
        }
        self._write_settings(self.folder / "households" / f"{name}.toml", own)
        self._write_meter(name)

    def _write_meter(self, name: str) -> None:
        self.key(f"{name}-meter")
        own = {
            "gateway": self.gateway,
            "keystore": f"../keys/{name}-meter.json",
            "passphrase_file": "../passphrase",
            "readings": f"{name}.csv",
            "bring": f"http://{HOST}:{self.port + 2 + ON_CHAIN.index('metering')}",
        }
        self._write_settings(self.folder / "meters" / f"{name}.toml", own)

    def _write_settings(self, path: Path, record: Mapping[str, Any]) -> None:
        plain = {key: value for key, value in record.items() if not isinstance(value, Mapping)}
        tables = {key: value for key, value in record.items() if isinstance(value, Mapping)}
        lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
        for name, table in tables.items():
            lines += ["", f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def listen(self) -> None:
        """Give each service its port, once it is known how many there are."""
        for name in (*ON_CHAIN, BILLER):
            self._set_port(self.settings(name), self.port_of(name))
        for kind, parts in self.groups.items():
            for number, paths in enumerate(parts, start=1):
                self._set_port(paths[0], self.port_of(f"{kind}-{number}"))

    @staticmethod
    def _set_port(path: Path, port: int) -> None:
        text = path.read_text(encoding="utf-8")
        if not text.startswith("port = "):
            path.write_text(f"port = {port}\n{text}", encoding="utf-8")

    # ------------------------------------------------------------------------------------------------- the market

    @property
    def offices(self) -> Offices:
        """Who is a member from the start."""
        return Offices(
            supplier=self.key("supplier").address,
            operator=self.key("operator").address,
            grid_operator=self.key(_GRID).address,
            boundary_meter=self.key(f"{_BOUNDARY}-meter").address,
        )

    @property
    def role_keys(self) -> dict[str, KeyAccount]:
        """The account of each role of the authority, and who deploys."""
        held = {"council": "clerk", "node": "clerk", RELAYER: "relayer"}
        names = [ADMIN, RELAYER, *(role.name for role in HUMAN_ROLES)]
        return {name: self.key(held.get(name, name)) for name in names}

    @property
    def senders(self) -> list[str]:
        """Addresses of all who pay for transactions."""
        keys = [self.key(name) for name in (ADMIN, _GATEWAY, *ON_CHAIN)]
        return [key.address for key in keys]


def _iban(number: int) -> str:
    """Of a bank account that nobody has, with the right check digits."""
    own = f"{number:018}"
    return f"DE{98 - int(f'{own}131400') % 97:02}{own}"


def _zone(scenario: Scenario) -> str:
    """For pages: that of the scenario. Without one its offset, if it is whole hours, as the names of zones have it."""
    calendar = scenario.calendar
    hours, rest = divmod(calendar.utc_offset_seconds or 0, 3_600)
    if calendar.timezone is not None or rest or not -12 <= hours <= 14:
        return calendar.timezone or "UTC"
    return f"Etc/GMT{-hours:+d}" if hours else "UTC"  # its sign is that of what is added to get to UTC


def _parts(paths: list[Path]) -> list[list[Path]]:
    return [paths[start : start + HOMES_A_PROCESS] for start in range(0, len(paths), HOMES_A_PROCESS)]


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
