"""The processes of a live market: started, looked at, stopped, and started again where they were killed."""

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from dem.chain.connection import NODES, Chain
from dem.chain.networks import connect_to
from dem.community.scenario import Scenario
from dem.deployment.market import Market, connect, deploy
from dem.deployment.plan import Parameters
from dem.devnet.live.town import BILLER, HOST, ON_CHAIN, Town
from dem.devnet.process import Process
from dem.drive.pace import Pace
from dem.drive.run import SIMULATED
from dem.drive.screen import Screen
from dem.errors import ChainError
from dem.model.calendar import CalendarParameters

NODE, INDEX, GATEWAY = "node", "index", "gateway"
MONEY = hex(10**24)
"""Wei on every account that sends transactions: the node's test currency, which buys nothing but gas."""
_ANSWER_SECONDS = 3.0
_START_SECONDS = 600.0
"""On a busy machine a dozen processes that start at once take minutes."""
_BLOCK_SECONDS = 1
_DAY_SECONDS = 600
"""Of real time, about."""


@dataclass(frozen=True)
class Service(Process):
    """One process. command: what starts it. health: address that answers if it is well; empty without one.

    nodes: addresses of a network's nodes, which the process learns from its environment.
    """

    name: str
    folder: Path
    command: tuple[str | Path, ...]
    health: str = ""
    nodes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What it is called."""
        return self.name

    @property
    def log(self) -> Path:
        """Lines of JSON of a role; of the others what they print."""
        return self.folder / f"{self.name}.log"

    @property
    def lock(self) -> Path:
        """See `Process`."""
        return self.folder / f"{self.name}.pid"

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.pid is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.spawn(self.command, {NODES: ",".join(self.nodes)} if self.nodes else None)

    def trouble(self) -> str:
        """What is wrong with it; empty if all is well."""
        if self.pid is None:
            return "does not run"
        if not self.health:
            return ""
        try:
            with urlopen(self.health, timeout=_ANSWER_SECONDS) as answer:
                answer.read()
        except URLError as error:
            return _words(error)
        except OSError as error:
            return f"does not answer yet ({error})"
        return ""


def _words(error: URLError) -> str:
    """What a service says of itself."""
    try:
        told: dict[str, Any] = json.loads(error.read())  # type: ignore[attr-defined]
    except (AttributeError, ValueError, OSError):
        return f"does not answer yet ({error.reason})"
    return "; ".join(one["trouble"] for one in told.get("services", ()) if one["trouble"]) or str(error)


class Live:
    """All processes of one market. day_seconds: of real time that a trading day takes, about."""

    def __init__(self, town: Town, day_seconds: int = _DAY_SECONDS, setup_seconds: int = 120) -> None:
        self.town, self._day_seconds, self._setup_seconds = town, day_seconds, setup_seconds

    # ------------------------------------------------------------------------------------------------- processes

    @property
    def _run(self) -> Path:
        return self.town.folder / "run"

    def _service(self, name: str, *command: str | Path, health: str = "") -> Service:
        return Service(name, self._run, command, health, self.town.nodes)

    @property
    def node(self) -> Service | None:
        """One anvil; none where nodes run already."""
        program = shutil.which("anvil") or "anvil"
        if self.town.nodes:
            return None
        return self._service(NODE, program, "--silent", "--host", HOST, "--port", str(self.town.port))

    @property
    def services(self) -> list[Service]:
        """All but the node, in the order they are started in."""
        dem, town = Path(sys.executable).with_name("dem"), self.town
        found = [self._service(INDEX, dem, "index", town.folder, "--follow", "--network", town.network)]
        settings = ("--config", town.settings(GATEWAY), "--network", town.network)
        found.append(self._service(GATEWAY, dem, "gateway", *settings, health=f"{town.gateway}/v1/market"))
        for name in ON_CHAIN:
            role = name.partition("-")[0]
            found.append(self._role(name, [dem, "role", role, "--config", town.settings(name)]))
        for kind, parts in town.groups.items():
            for number, paths in enumerate(parts, start=1):
                configs = [word for path in paths for word in ("--config", path)]
                found.append(self._role(f"{kind}-{number}", [dem, "role", kind.removesuffix("s"), *configs]))
        found.append(self._role(BILLER, [dem, "role", BILLER, "--config", town.settings(BILLER)]))
        return found

    def _role(self, name: str, command: Sequence[str | Path]) -> Service:
        return self._service(name, *command, health=f"http://{HOST}:{self.town.port_of(name)}/health")

    # --------------------------------------------------------------------------------------------- start and stop

    def start(self, scenario: Scenario, screen: Screen) -> None:
        """Start what does not run; at first the market is deployed.

        Raises:
            ChainError: the node has ended, and with it the market; or a process does not start.
        """
        town = self.town
        with screen.busy("writing keys, settings and tables"):
            town.make(scenario)
            town.listen()
        if self.node is not None and self.node.pid is None:
            if town.manifest.exists():
                raise ChainError(
                    f"the node of {town.folder} has ended, and with it its market: remove the folder, or name another "
                    "one with --out"
                )
            self.node.start()
            self.node.await_ready(self._has_answer)
        with screen.busy("deploying the market"):
            self._deploy(scenario)
        index, gateway, *others = self.services
        for service in (index, *others):
            service.start()
        with screen.busy("waiting for the index"):
            index.await_ready(town.index.exists, _START_SECONDS)
        gateway.start()

    def _has_answer(self) -> bool:
        try:
            self._ask("eth_chainId")
        except OSError:
            return False
        return True

    def _ask(self, method: str, *parameters: object) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        request = Request(self.town.node, body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=_ANSWER_SECONDS) as answer:
            return json.load(answer).get("result")

    def _deploy(self, scenario: Scenario) -> None:
        town = self.town
        self._connect()
        chain = Chain.connected()
        if not town.nodes:
            for address in town.senders:
                self._ask("anvil_setBalance", address, MONEY)
        keys = town.role_keys
        calendar = self.calendar(scenario, int(time.time()))
        length = calendar.period_length * scenario.calendar.periods_per_day
        parameters = Parameters(
            admin=keys["admin"].address,
            calendar=calendar,
            rules=scenario.rules(1),
            offices=town.offices,
            first_weekday=scenario.calendar.start.weekday(),
            intraday_lead=Pace(length).intraday_lead(scenario),
            markets=scenario.markets.plugged,
            government=SIMULATED,
        )
        deploy(chain, keys, parameters, town.manifest)
        if not town.nodes:
            # From now on blocks come by the clock, with transactions or without.
            self._ask("evm_setIntervalMining", _BLOCK_SECONDS)

    def _connect(self) -> None:
        if self.town.nodes:
            os.environ[NODES] = ",".join(self.town.nodes)
        connect_to(self.town.network)

    def market(self) -> Market:
        """Its contracts, to read."""
        self._connect()
        return connect(Chain.connected(), {}, self.town.manifest)

    def calendar(self, scenario: Scenario, now: int) -> CalendarParameters:
        """A day takes about the seconds that were asked for: a whole number of each period."""
        length = max(1, self._day_seconds // scenario.calendar.periods_per_day)
        return Pace(length, self._setup_seconds).calendar(scenario, now)

    def stop(self) -> None:
        """Stop all processes. The chain of a node of its own ends with it."""
        running = [*self.services[::-1], *self._own_nodes]
        for service in running:
            service.ask_to_stop()
        for service in running:
            service.await_end()

    def troubles(self) -> list[tuple[Service, str]]:
        """Every process, and what is wrong with it."""
        return [(service, service.trouble()) for service in (*self._own_nodes, *self.services)]

    @property
    def _own_nodes(self) -> list[Service]:
        return [] if self.node is None else [self.node]
