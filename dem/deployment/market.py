"""Deploys the market and keeps the manifest: what was deployed where, with which parameters."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.crypto import keccak
from web3.contract import Contract

from dem import formats
from dem.chain.accounts import Account
from dem.chain.blocks import BlockReader
from dem.chain.connection import Chain
from dem.deployment.plan import STEPS, Government, Parameters
from dem.deployment.roles import GOVERNED, ROLES, TOKEN, WATCHERS
from dem.errors import ChainError
from dem.messages.signing import Domain
from dem.model.calendar import CalendarParameters
from dem.model.mechanisms import AUCTION, POOL
from dem.model.units import PriceRange

MANIFEST = "manifest.json"
"""The record of a deployment in a run's folder."""
HUMAN_ROLES = tuple(role for role in ROLES if role.holder is None)
ADMIN = "admin"
RELAYER = "relayer"

_ADMIN_ROLE = 0
_FIRST = "Authority"
"""The contract that is deployed first."""
_NO_CODE = "0x" + keccak(b"").hex()


@dataclass(slots=True)
class Manifest:
    """The record of a deployment: sorted JSON, written after every step, so that one that was cut off goes on."""

    path: Path
    chain_id: int
    genesis: str
    first_block: int
    calendar: CalendarParameters
    contracts: dict[str, dict[str, str]] = field(default_factory=dict)
    complete: bool = False

    def save(self) -> None:
        """Write the file whole or not at all."""
        record = {
            formats.KEY: formats.MANIFEST,
            "chain_id": self.chain_id,
            "genesis": self.genesis,
            "first_block": self.first_block,
            "calendar": {name: getattr(self.calendar, name) for name in CalendarParameters.__slots__},
            "contracts": self.contracts,
            "complete": self.complete,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".tmp")
        draft.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        draft.replace(self.path)

    @staticmethod
    def load(path: Path) -> "Manifest":
        """Read a manifest.

        Raises:
            ChainError: the file is missing or is no manifest.
            FormatError: its format is newer than this version reads.
        """
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            formats.require_format(path, record, formats.MANIFEST)
            return Manifest(
                path=path,
                chain_id=record["chain_id"],
                genesis=record["genesis"],
                first_block=record["first_block"],
                calendar=CalendarParameters(**record["calendar"]),
                contracts=record["contracts"],
                complete=record["complete"],
            )
        except FileNotFoundError:
            raise ChainError(f"{path}: no such manifest; deploy first") from None
        except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
            raise ChainError(f"{path}: not a deployment manifest ({error})") from None


class Market:
    """A deployed market: its contracts and the accounts that hold its roles."""

    def __init__(self, chain: Chain, manifest: Manifest, keys: Mapping[str, Account]) -> None:
        self.chain = chain
        self.manifest = manifest
        self.calendar = manifest.calendar
        self.keys = keys
        self.addresses = {name: entry["address"] for name, entry in manifest.contracts.items()}
        contract = {name: chain.contract(name, address) for name, address in self.addresses.items()}
        self.authority: Contract = contract["Authority"]
        self.registry: Contract = contract["ParticipantRegistry"]
        self.accounts: Contract = contract["Accounts"]
        self.token: Contract = contract[TOKEN]
        self.rules: Contract = contract["MarketRules"]
        self.auction: Contract = contract[AUCTION]
        self.intraday: Contract = contract["ContinuousMarket"]
        self.meters: Contract = contract["Meters"]
        self.readings: Contract = contract["MeterReadings"]
        self.fallback: Contract = contract["FallbackSupply"]
        self.settlement: Contract = contract["Settlement"]

    @cached_property
    def prices(self) -> PriceRange:
        """Those that orders can name."""
        lowest, tick = self.rules.functions.priceRange().call()
        return PriceRange(lowest, tick)

    def contract(self, name: str) -> Contract:
        """Any of the deployed contracts by name."""
        return self.chain.contract(name, self.addresses[name])

    def domain(self, name: str) -> Domain:
        """What messages to one of the contracts are signed for."""
        return Domain(self.chain.id, self.addresses[name])

    def rules_on(self, day: int) -> dict[str, Any]:
        """The rules of a day, by the names of the Solidity struct `Rules`."""
        view = self.rules.functions.rulesOf(day)
        [output] = view.abi["outputs"]
        return dict(zip((part["name"] for part in output["components"]), view.call(), strict=True))


def role_keys(chain: Chain, alias: str | None) -> dict[str, Account]:
    """An account for each role: test accounts of their own on a development network, one account for all elsewhere."""
    names = [ADMIN, RELAYER, *(role.name for role in HUMAN_ROLES)]
    return dict(zip(names, islice(chain.accounts(alias), len(names)), strict=True))


def deploy(chain: Chain, keys: Mapping[str, Account], parameters: Parameters, path: Path) -> Market:
    """Deploy what the manifest does not have yet, and set up the roles; safe to call again after a crash.

    The manifest fixes the calendar: a call that goes on with an earlier deployment keeps that one's.

    Raises:
        ChainError: the manifest belongs to another chain, its contracts are not there, or the node has pruned events.
        RefusedError: a constructor reverts.
    """
    manifest = _resume(chain, path) or Manifest(path, chain.id, chain.genesis, chain.block, parameters.calendar)
    manifest.save()
    parameters = replace(parameters, calendar=manifest.calendar)
    admin = keys[ADMIN]
    for step in STEPS:
        if step.contract not in manifest.contracts:
            known = {name: entry["address"] for name, entry in manifest.contracts.items()}
            address = chain.deploy(admin, step.contract, step.arguments(parameters, known))
            _record(chain, manifest, step.contract, address)
        if step.contract == "Accounts" and TOKEN not in manifest.contracts:
            accounts = chain.contract("Accounts", manifest.contracts["Accounts"]["address"])
            _record(chain, manifest, TOKEN, accounts.functions.TOKEN().call())
    market = Market(chain, manifest, keys)
    plugged = {entry[0] for entry in market.contract("Schedule").functions.markets().call()}
    missing = [name for name in parameters.markets if market.addresses[name] not in plugged]
    if not manifest.complete or missing:
        is_governed, _ = market.authority.functions.hasRole(_ADMIN_ROLE, market.addresses["Council"]).call()
        if not is_governed:
            _set_up_roles(market)
            _add_watchers(market)
        for name in missing:
            chain.send(keys["council"], market.contract("Schedule"), "addMarket", market.addresses[name], 1)
        if not is_governed:
            _seat(market, parameters.government)
        if parameters.government.delay and not is_governed:
            _hand_over(market, parameters.government)
        chain.await_final()
        manifest.complete = True
        manifest.save()
    require_history(market)
    return market


def connect(chain: Chain, keys: Mapping[str, Account], path: Path) -> Market:
    """The market a manifest describes, after checking that it is there.

    Raises:
        ChainError: no manifest, another chain, other code, or a deployment that was cut off.
    """
    manifest = Manifest.load(path)
    _check(chain, manifest)
    if not manifest.complete:
        raise ChainError(f"{path}: the deployment was cut off; deploy again to finish it")
    return Market(chain, manifest, keys)


def require_history(market: Market) -> None:
    """Refuse a node that has pruned events: it answers as if there had been none.

    Raises:
        ChainError: it has.
    """
    if not has_history(market.chain.reader(first_contract(market)), market):
        raise ChainError(f"{market.chain.network}: the node {pruned(market)}")


def first_contract(market: Market) -> dict[str, str]:
    """Name and address of the contract that was deployed first."""
    return {_FIRST: market.addresses[_FIRST]}


def has_history(reader: BlockReader, market: Market) -> bool:
    """Whether a node still has the market's first event, which makes the administrator. reader: of that contract."""
    topics = market.chain.topics(_FIRST, "RoleGranted")
    for stretch in reader.stretches(max(1, market.manifest.first_block), reader.newest().number, topics):
        for event in stretch.events:
            return (event.args["roleId"], event.args["account"] == market.addresses["Council"]) == (_ADMIN_ROLE, False)
    return False


def pruned(market: Market) -> str:
    """What is wrong with a node that has no such history."""
    return (
        f"has pruned events: it has none from block {market.manifest.first_block} on, where the market begins; connect "
        "to a node that keeps them all"
    )


def _resume(chain: Chain, path: Path) -> Manifest | None:
    """The manifest to go on with; none if there is none, or if the chain it was on is gone for good."""
    if not path.exists():
        return None
    manifest = Manifest.load(path)
    same = (manifest.chain_id, manifest.genesis) == (chain.id, chain.genesis)
    if not same and chain.is_development:
        return None  # a development chain starts anew every time
    if chain.is_development or not manifest.complete:
        # A node that was killed has lost its newest blocks; so may a chain whose authorities had different ones.
        lost = [name for name, entry in manifest.contracts.items() if _code_hash(chain, entry["address"]) == _NO_CODE]
        for name in lost:
            del manifest.contracts[name]
    _check(chain, manifest)
    return manifest


def _check(chain: Chain, manifest: Manifest) -> None:
    here, there = (chain.id, chain.genesis), (manifest.chain_id, manifest.genesis)
    if here != there:
        ended = (
            ": a chain inside the process ends with its command, so play the day on a node that keeps it (anvil), and "
            "name that with --network"
            if chain.is_embedded
            else ""
        )
        raise ChainError(f"{manifest.path}: deployed on chain {there}, but connected to {here}{ended}")
    for name, entry in manifest.contracts.items():
        code = _code_hash(chain, entry["address"])
        if code != entry["code_hash"]:
            raise ChainError(f"{manifest.path}: {name} at {entry['address']} has code {code}, not {entry['code_hash']}")


def _record(chain: Chain, manifest: Manifest, name: str, address: str) -> None:
    manifest.contracts[name] = {"address": address, "code_hash": _code_hash(chain, address)}
    manifest.save()


def _code_hash(chain: Chain, address: str) -> str:
    code = chain.web3.eth.get_code(chain.web3.to_checksum_address(address))
    return "0x" + keccak(bytes(code)).hex()


def _set_up_roles(market: Market) -> None:
    """Write the table of role x function into the authority, grant the roles."""
    chain, admin = market.chain, market.keys[ADMIN]
    calls: list[tuple[str, tuple[Any, ...]]] = []
    for role in ROLES:
        calls.append(("labelRole", (role.id, role.name)))
        if role.granted_by:
            [granting] = [other.id for other in ROLES if other.name == role.granted_by]
            calls.append(("setRoleAdmin", (role.id, granting)))
        else:
            holders = [market.addresses[name] for name in role.contracts] or [market.keys[role.name].address]
            calls += [("grantRole", (role.id, holder, 0)) for holder in holders]
        for name, functions in role.functions.items():
            contract = market.contract(name)
            selectors = [
                function_signature_to_4byte_selector(contract.get_function_by_name(f).signature) for f in functions
            ]
            calls.append(("setTargetFunctionRole", (contract.address, selectors, role.id)))
    chain.send_many(admin, market.authority, calls)


def _seat(market: Market, government: Government) -> None:
    """Give the institutions their seats."""
    chain, admin, council = market.chain, market.keys[ADMIN], market.contract("Council")
    seated = {holder for holder, *_ in council.functions.seats().call()}
    for institution in government.institutions or (market.keys["node"].address,):
        if institution not in seated:
            chain.send(admin, council, "seat", institution)
    chain.send(admin, council, "setThreshold", government.threshold)


def _add_watchers(market: Market) -> None:
    """Let the registry tell the markets that do not ask it with every order."""
    for name in WATCHERS:
        if not market.registry.functions.isWatcher(market.addresses[name]).call():
            market.chain.send(market.keys["council"], market.registry, "addWatcher", market.addresses[name])


def _hand_over(market: Market, government: Government) -> None:
    """Put the council in power, in one transaction: from then on nothing changes but by its decision."""
    council, admin = market.addresses["Council"], market.keys[ADMIN]
    governed = [role for role in ROLES if role.name in GOVERNED]
    roles = [_ADMIN_ROLE, *(role.id for role in governed)]
    calls: list[tuple[str, tuple[Any, ...]]] = [("grantRole", (role, council, government.delay)) for role in roles]
    if not government.has_clerks:
        calls += [("revokeRole", (role.id, market.keys[role.name].address)) for role in governed]
    calls.append(("renounceRole", (_ADMIN_ROLE, admin.address)))
    market.chain.send_many(admin, market.authority, calls)


def deploy_pool(market: Market, name: str, intermediary: int, calendar: CalendarParameters) -> Contract:
    """An intermediary's pool, deployed now or before; the council plugs it into the schedule."""
    chain, manifest, admin = market.chain, market.manifest, market.keys[ADMIN]
    members, pool = f"PoolMembers:{name}", POOL + name
    at = market.addresses
    if members not in at:
        address = chain.deploy(admin, "PoolMembers", (at["ParticipantRegistry"], intermediary))
        chain.await_final()
        _record(chain, manifest, members, address)
        at[members] = address
    if pool not in at:
        rest = (at["MarketRules"], at["Accounts"], at["Schedule"], at["GridLimits"])
        arguments = (at["Authority"], calendar.as_tuple(), at[members], *rest)
        address = chain.deploy(admin, AUCTION, arguments)
        chain.await_final()
        _record(chain, manifest, pool, address)
        at[pool] = address
    return market.contract(pool)
