"""Relayers and metering gateways: they take signed messages and bring them, as many as fit a transaction.

What is taken is in a folder before it is answered for. A message stays there until its day is final, because a chain
may lose blocks; which of them the chain has, the chain is asked.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dem.chain.accounts import write_secret
from dem.errors import RefusedError, RequestError
from dem.gateway.guard import PROBLEM, problem
from dem.gateway.protocol import KINDS, Checked, Envelope, check
from dem.governance.elections import ElectionTerms
from dem.messages.members import Opening
from dem.messages.orders import OrderSheet
from dem.messages.readings import ReadingSheet
from dem.messages.signed import Received, Signed, arguments
from dem.model.mechanisms import AUCTION
from dem.relay import members, orders, pools, readings
from dem.relay.batches import Relay
from dem.roles.step import NO_DAY, Day, Step

BROUGHT, QUEUED = "brought", "queued"


class Inbox:
    """Signed messages in a folder: `queued` to be brought, `brought` what the chain took or refused."""

    def __init__(self, folder: Path, types: Sequence[type], chain_id: int, contracts: Mapping[str, str]) -> None:
        self._folder, self._types, self._chain_id, self._contracts = folder, types, chain_id, contracts
        self._checked: dict[str, Checked] = {}
        """What was read from the folder, by id: a signature is looked at once, however long a message waits."""

    def take(self, envelope: Envelope) -> str:
        """The state of a message, which is kept from now on.

        Raises:
            RequestError: it is none for here.
        """
        checked = check(envelope, self._chain_id, self._contracts)
        if type(checked.message) not in self._types:
            names = ", ".join(type_.__name__ for type_ in self._types)
            raise RequestError(422, "UnknownType", f"{envelope.type} is not brought here, but {names}")
        for state in (BROUGHT, QUEUED):
            if self._path(state, checked.id).exists():
                return state
        write_secret(self._path(QUEUED, checked.id), envelope.model_dump_json())
        return QUEUED

    def waiting(self, state: str = QUEUED) -> list[Checked]:
        """What is in a state."""
        paths = sorted((self._folder / state).glob("*.json"))
        for path in paths:
            if path.stem not in self._checked:
                envelope = Envelope.model_validate(json.loads(path.read_text(encoding="utf-8")))
                self._checked[path.stem] = check(envelope, self._chain_id, self._contracts)
        return [self._checked[path.stem] for path in paths]

    def move(self, ids: Sequence[str], start: str, end: str | None) -> None:
        """From a state to another; None: away."""
        for id_ in ids:
            self._checked.pop(id_, None)
            path = self._path(start, id_)
            if end is None:
                path.unlink(missing_ok=True)
            elif path.exists():
                target = self._path(end, id_)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)

    def _path(self, state: str, id_: str) -> Path:
        return self._folder / state / f"{id_}.json"

    def route(self) -> Route:
        """POST /v1/messages, as gateways have it: the same envelope again tells what has become of it."""

        async def send(request: Request) -> Response:
            try:
                envelope = Envelope.model_validate_json(await request.body())
                return JSONResponse({"id": envelope.id, "state": self.take(envelope)}, 202)
            except ValidationError as error:
                refused = RequestError(422, "MalformedRequest", str(error.errors()[0]["msg"]))
            except RequestError as error:
                refused = error
            return JSONResponse(problem(refused), refused.status, media_type=PROBLEM)

        return Route("/v1/messages", send, methods=["POST"])


class Carrier:
    """Brings what is in an inbox."""

    def __init__(self, relay: Relay, inbox: Inbox) -> None:
        self._relay, self._inbox = relay, inbox
        # What was brought before a kill, or before the chain lost blocks, is looked at again.
        final = relay.market.rules.functions.lastFinalDay().call()
        for message in inbox.waiting(BROUGHT):
            inbox.move([message.id], BROUGHT, None if 0 < _day_of(message) <= final else QUEUED)

    @property
    def steps(self) -> Sequence[Step]:
        """Whenever something waits whose time has come."""
        return (Step("bring", self.bring, lambda _: not self._ripe()),)

    def bring(self, _day: Day) -> None:
        """Orders and readings in batches by day, each other message for itself."""
        groups: dict[tuple[type, str, Day], list[Checked]] = defaultdict(list)
        for message in self._ripe():
            groups[type(message.message), message.contract, _day_of(message)].append(message)
        for (kind, contract, day), group in groups.items():
            if kind is OrderSheet:
                self.bring_orders(day, contract, group)
            elif kind is ReadingSheet:
                self.bring_readings(day, group)
            else:
                self._bring_each(group)
            self._inbox.move([message.id for message in group], QUEUED, BROUGHT)

    def bring_orders(self, day: Day, contract: str, group: Sequence[Checked]) -> None:
        """Sheets of the day-ahead auction or of a pool, each by rising sequence; those of no members are left away."""
        ids = self._relay.records.ids_of(message.sender for message in group)
        sheets = [_received(message) for message, id_ in zip(group, ids, strict=True) if id_]
        sheets.sort(key=lambda sheet: int(sheet.message.sequence))
        if contract == AUCTION:
            orders.submit_orders(self._relay, day, sheets)
        else:
            pools.submit_brokered(self._relay, day, contract, sheets)

    def bring_readings(self, day: Day, group: Sequence[Checked]) -> None:
        """Sheets of meters, corrections after what they correct; those of meters that nobody has are left away."""
        owners = members.owners_of_meters(self._relay)
        rounds: dict[int, dict[int, Signed[ReadingSheet]]] = defaultdict(dict)
        for message in group:
            sheet = _received(message)
            if sheet.message.meter in owners:
                rounds[sheet.message.sequence][owners[sheet.message.meter]] = sheet
        for _, sheets in sorted(rounds.items()):
            readings.push_readings(self._relay, day, [*sheets.items()])

    def _bring_each(self, group: Sequence[Checked]) -> None:
        """Refused ones are done with, too: who sent them reads the reason at a gateway."""
        for message in group:
            contract, function = self._relay.market.contract(message.contract), KINDS[type(message.message)].function
            try:
                self._relay.bring(contract, function, *arguments(_received(message)))
            except RefusedError as error:
                self._relay.refused.append(str(error))

    @cached_property
    def _elections(self) -> ElectionTerms:
        return ElectionTerms(*self._relay.market.contract("Elections").functions.terms().call())

    def _ripe(self) -> list[Checked]:
        """Not orders for a day that has not opened, readings of one that has not ended, openings before the count."""
        waiting = self._inbox.waiting()
        if not waiting:
            return []
        calendar, now = self._relay.market.calendar, self._relay.chain.now()

        def is_ripe(message: Checked) -> bool:
            if isinstance(message.message, OrderSheet):
                return calendar.opens_at(message.message.day) <= now
            if isinstance(message.message, ReadingSheet):
                return calendar.start_of(message.message.day + 1) <= now
            if isinstance(message.message, Opening):
                return self._elections.times(message.message.election).counting <= now
            return True

        return [message for message in waiting if is_ripe(message)]


def _day_of(message: Checked) -> Day:
    return int(getattr(message.message, "day", NO_DAY))


def _received(message: Checked) -> Received[Any]:
    return Received(message.message, message.signature)
