"""The gateway's HTTP interface: every resource, who may have it, and what it answers."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from eth_utils.address import is_address
from fastapi import Depends, FastAPI, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.routing import APIRouter
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from dem.errors import InputError, RequestError
from dem.gateway import answers as a
from dem.gateway import escrows, offers, watch
from dem.gateway.consents import Consent, agreed
from dem.gateway.deliveries import Deliveries, Told
from dem.gateway.guard import PROBLEM, Guard, problem
from dem.gateway.joint import countersigned
from dem.gateway.login import Logins
from dem.gateway.oauth import Refusal, credentials
from dem.gateway.pages import router as pages
from dem.gateway.parts import Parts, about, known, parts_of, proofs_of
from dem.gateway.protocol import JOINT, TYPES, VERSION, Checked, Envelope, check
from dem.gateway.rights import Reader, Right, Role, require
from dem.gateway.state import Place, Record, State
from dem.gateway.streams import Streams
from dem.messages.members import Opening, Withdrawal
from dem.messages.orders import OrderSheet
from dem.metering.files import zone_of
from dem.metering.record import kwh
from dem.model.units import CENT, Money, currency
from dem.replay.evidence import Evidence

_log = logging.getLogger(__name__)
_NDJSON = "application/x-ndjson"
_MOST_DAYS = 31
_HELD_DAYS = 40
"""So many days ahead of the one whose auction is open, sheets of orders are held until theirs is."""
_OPENING_SECONDS = 30
_FORGET_SECONDS = 3_600


def make_app(parts: Parts) -> FastAPI:
    """The application."""
    streams = Streams(parts.store, parts.configuration.limits.streams)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        telling, forgetting = (asyncio.create_task(work) for work in (streams.run(), _forget(parts)))
        yield
        telling.cancel()
        forgetting.cancel()
        parts.index.close()
        parts.store.close()

    app = _bare(lifespan)
    app.state.parts = parts
    app.state.streams = streams
    app.state.deliveries = Deliveries(parts.store, parts.configuration.meters)
    app.add_middleware(GZipMiddleware, minimum_size=1_000)
    app.add_middleware(Guard, limits=parts.configuration.limits)
    app.add_exception_handler(RequestError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OperationalError, _away)
    app.add_exception_handler(Exception, _failed)
    return app


async def _forget(parts: Parts) -> None:
    """Delete again and again what is older than it may be."""
    while True:
        try:
            gone = await asyncio.to_thread(_forget_now, parts)
            _log.info("forgotten: %s", gone)
        except SQLAlchemyError as error:
            _log.error("nothing could be forgotten", exc_info=error)
        await asyncio.sleep(_FORGET_SECONDS)


def _forget_now(parts: Parts) -> dict[str, int]:
    agree = agreed(parts.store, Consent.VALUES)
    longer = [meter for meter, owner in parts.configuration.meters.items() if owner in agree]
    return parts.store.forget(parts.configuration.retention, longer)


def _bare(lifespan: Any = None) -> FastAPI:
    app = FastAPI(
        title="DEM gateway",
        version="1",
        description="What a market knows, and signed messages to it. docs/guide/gateway.md goes through it.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    app.include_router(_router)
    app.include_router(pages.router)
    return app


def describe() -> dict[str, Any]:
    """The interface as an OpenAPI document."""
    return _bare().openapi()


# ------------------------------------------------------------------------------------------------------- refusals


def _answer(request: Request, error: RequestError) -> Response:
    """As a page where a page was asked for."""
    wants_page = "text/html" in request.headers.get("accept", "")
    is_page = wants_page and request.method == "GET" and not request.url.path.startswith("/v1/")
    return pages.refusal(request, error) if is_page else _problem(error)


def _problem(error: RequestError) -> JSONResponse:
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return JSONResponse(problem(error), error.status, headers, PROBLEM)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return _answer(request, error)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _answer(request, RequestError(422, "MalformedRequest", _first(error.errors())))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # a body that cannot even be parsed
        return _problem(RequestError(422, "MalformedRequest", str(error.detail)))
    names = {404: "NotFound", 405: "MethodNotAllowed"}
    made = _answer(request, RequestError(error.status_code, names.get(error.status_code, "Refused"), str(error.detail)))
    made.headers.update(error.headers or {})
    return made


def _away(request: Request, error: Exception) -> Response:
    """The database of what the gateway remembers: it may be started again just now."""
    _log.warning("the state cannot be reached: %s", error)
    return _answer(request, RequestError(503, "NoState", "what the gateway remembers cannot be read now: try again"))


def _failed(_request: Request, error: Exception) -> Response:
    _log.error("a request failed", exc_info=error)
    return _problem(RequestError(500, "Failed", "the gateway could not answer: its operator's log says why"))


def _first(errors: Any) -> str:
    where = ".".join(str(part) for part in errors[0]["loc"])
    return f"{where}: {errors[0]['msg']}"


# -------------------------------------------------------------------------------------------------------- readers

_bearer = HTTPBearer(auto_error=False, description="A token of /v1/login.")


def _reader(request: Request, token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Reader:
    parts = parts_of(request)
    if token is None:
        if request.headers.get("authorization"):
            raise RequestError(401, "BadToken", "the header Authorization must be Bearer and a token")
        return Reader()
    account = parts.store.account_of(token.credentials)
    if account is None:
        raise RequestError(401, "BadToken", "the token is unknown or has expired: log in again")
    return known(parts, account)


async def _parts(request: Request) -> Parts:
    """On the loop: it costs less than to hand it to a thread."""
    return parts_of(request)


Asking = Annotated[Reader, Depends(_reader)]
Having = Annotated[Parts, Depends(_parts)]
Purpose = Annotated[
    str, Header(max_length=200, description="why an office reads about others; they see it, and so does the auditor")
]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="number in the registry")]
DayNumber = Annotated[int, Query(ge=1, le=2**31 - 1, description="trading day, the first is 1")]
After = Annotated[int, Query(ge=0, le=2**53, description="the last number of the page before")]
Most = Annotated[int, Query(ge=1, le=1_000)]


_router = APIRouter(prefix="/v1", responses=a.refusals(400, 401, 403, 404, 408, 413, 422, 429, 500, 503))


# ------------------------------------------------------------------------------------------------ about everybody


@_router.get("/market", tags=["public"])
def market(parts: Having, reader: Asking) -> a.Market:
    """Addresses, calendar and types of messages: what a client has to know before it signs."""
    require(reader, "market")
    calendar = {name: getattr(parts.calendar, name) for name in a.Calendar.model_fields}
    return a.Market(
        protocol=VERSION,
        chain=parts.chain_id,
        genesis=parts.genesis,
        contracts=dict(parts.contracts),
        calendar=a.Calendar(**calendar),
        types={name: [f"{kind} {field}" for field, kind in type_.TYPE] for name, type_ in TYPES.items()},
        block=parts.index.head(),
        depth=parts.configuration.depth,
        trouble=parts.bringing.trouble if parts.bringing else "this gateway brings no messages",
    )


@_router.get("/days", tags=["public"])
def days(parts: Having, reader: Asking, after: After = 0, most: Most = 100) -> list[a.Day]:
    """How far each trading day is."""
    require(reader, "days")
    return [a.Day(**row) for row in parts.index.days(after, most)]


@_router.get("/tariffs", tags=["public"])
def tariffs(parts: Having, reader: Asking, day: DayNumber) -> list[a.Tariff]:
    """What the fallback supplier has published for a day; without, the standing tariff holds."""
    require(reader, "tariffs")
    return [a.Tariff(**row) for row in parts.index.tariffs(day)]


@_router.get("/rules", tags=["public"])
def rules(parts: Having, reader: Asking, day: DayNumber) -> a.Rules:
    """The rules of a day, as far as who orders has to know them."""
    require(reader, "rules")
    return a.Rules(**parts.index.rules(day))


@_router.get("/prices", tags=["members"])
def prices(parts: Having, reader: Asking, day: DayNumber) -> list[a.Price]:
    """Prices and volumes of the day-ahead auction."""
    require(reader, "prices", is_own=True)
    return [a.Price(**row) for row in parts.index.prices(day)]


# --------------------------------------------------------------------------------------------------- about somebody


@_router.get("/me", tags=["members"])
def me(reader: Asking) -> a.Me:
    """Who asks, by its token."""
    if reader.account is None:
        raise RequestError(401, "NotLoggedIn", "this needs a login: see /v1/login")
    return a.Me(account=reader.account, participant=reader.participant, roles=sorted(reader.roles))


@_router.get("/members", tags=["offices"])
def members(
    parts: Having, reader: Asking, after: After = 0, most: Most = 100, purpose: Purpose = ""
) -> list[a.Participant]:
    """All participants by number."""
    note = about(parts, reader, "members", 0, purpose)
    found = [a.Participant(**row) for row in parts.index.participants(after, most)]
    note(len(found))
    return found


@_router.get("/members/{participant}", tags=["members"])
def member(parts: Having, reader: Asking, participant: Number, purpose: Purpose = "") -> a.Participant:
    """A participant and its money."""
    note = about(parts, reader, "member", participant, purpose)
    found = a.Participant(**parts.index.participant(participant))
    note(1)
    return found


@_router.get("/members/{participant}/energy", tags=["members"])
def energy(
    parts: Having,
    reader: Asking,
    participant: Number,
    first_day: DayNumber,
    last_day: DayNumber,
    purpose: Purpose = "",
) -> list[a.Energy]:
    """Contracted and metered energy by period, of at most 31 days."""
    note = about(parts, reader, "energy", participant, purpose)
    _require_span(first_day, last_day)
    found = [a.Energy(**row) for row in parts.index.energy(participant, first_day, last_day)]
    note(len(found))
    return found


@_router.get("/members/{participant}/orders", tags=["members"])
def orders(parts: Having, reader: Asking, participant: Number, day: DayNumber, purpose: Purpose = "") -> list[a.Order]:
    """Orders for a day, in the auction and in pools."""
    note = about(parts, reader, "orders", participant, purpose)
    found = [a.Order(**row) for row in parts.index.orders(participant, day)]
    note(len(found))
    return found


@_router.get("/members/{participant}/settlements", tags=["members"])
def settlements(
    parts: Having,
    reader: Asking,
    participant: Number,
    first_day: DayNumber,
    last_day: DayNumber,
    purpose: Purpose = "",
) -> list[a.Settlement]:
    """What was paid for each day, of at most 31 days."""
    note = about(parts, reader, "settlements", participant, purpose)
    _require_span(first_day, last_day)
    found = [a.Settlement(**row) for row in parts.index.settlements(participant, first_day, last_day)]
    note(len(found))
    return found


@_router.get("/members/{participant}/transfers", tags=["members"])
def transfers(parts: Having, reader: Asking, participant: Number, purpose: Purpose = "") -> list[a.Transfer]:
    """Deposits and withdrawals."""
    note = about(parts, reader, "transfers", participant, purpose)
    found = [a.Transfer(**row) for row in parts.index.transfers(participant)]
    note(len(found))
    return found


@_router.get("/members/{participant}/coins", tags=["members"])
def coins(parts: Having, reader: Asking, participant: Number, purpose: Purpose = "") -> a.Coins:
    """NRGcoins: what a member has, of which days, and what it gave or was given; the newest first."""
    note = about(parts, reader, "coins", participant, purpose)
    days_, moves = parts.index.coins(participant), parts.index.coin_transfers(participant)
    note(len(days_) + len(moves))
    return a.Coins(coins=parts.index.coin_balance(participant), days=days_, moves=moves)


@_router.get("/members/{participant}/escrows", tags=["members"])
def escrowed(parts: Having, reader: Asking, participant: Number, purpose: Purpose = "") -> a.Escrows:
    """Trades in escrow, the newest first; and to their sides alone what waits for a second signature."""
    note = about(parts, reader, "escrows", participant, purpose)
    trades = parts.index.escrows(participant)
    waiting = escrows.waiting(parts, reader.account) if participant == reader.participant else []
    note(len(trades))
    return a.Escrows(trades=trades, waiting=[one.record.envelope for one in waiting])


@_router.get("/members/{participant}/offers", tags=["members"])
def offered(parts: Having, reader: Asking, participant: Number) -> list[a.Offer]:
    """Contracts that a member offers, and that are offered to it or to everybody; they have not expired."""
    require(reader, "offers", is_own=participant == reader.participant)
    return [_offer(one) for one in offers.offers_of(parts, participant)]


def _offer(one: offers.Known) -> a.Offer:
    told = {name: getattr(one, name) for name in ("phase", "proposer", "counterparty", "contract", "refusal")}
    return a.Offer(**told, hash=one.offer.hash, expires=one.offer.expires, envelope=one.offer.record.envelope)


@_router.get("/members/{participant}/proof", tags=["members"])
def proof(parts: Having, reader: Asking, participant: Number, day: DayNumber) -> Evidence:
    """What proves a member's own day, and its account, against the header of a block: `dem prove` checks it."""
    require(reader, "proof", is_own=participant == reader.participant)
    return proofs_of(parts).of(participant, day)


def _require_span(first: int, last: int) -> None:
    if not 0 <= last - first < _MOST_DAYS:
        raise RequestError(422, "MalformedRequest", f"last_day must be first_day or up to {_MOST_DAYS - 1} days later")


# ------------------------------------------------------------------------------------------------------- deliveries

_BINARY = "application/octet-stream"


async def _deliveries(request: Request) -> Deliveries:
    found: Deliveries = request.app.state.deliveries
    return found


Files = Annotated[Deliveries, Depends(_deliveries)]
FileName = Annotated[
    str, Query(pattern=r"^[^/\\\x00-\x1f\x7f]{1,120}$", description="what the file is called in refusals and lists")
]
Zone = Annotated[str | None, Query(max_length=64, description="of times without offset, such as Europe/Vienna")]


@_router.post(
    "/deliveries",
    tags=["metering"],
    responses=a.refusals(400, 401, 403, 413, 422, 429),
    openapi_extra={
        "requestBody": {"required": True, "content": {_BINARY: {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def deliver(request: Request, files: Files, reader: Asking, name: FileName, timezone: Zone = None) -> a.Delivery:
    """Bring a metering operator's file: the template, Austrian energy data, CIM A45 or MSCONS, found out from it.

    It is taken as a whole or not at all. The same file again changes nothing.
    """
    require(reader, "deliver")
    assert reader.account is not None  # nobody else has the right
    account, content = reader.account, await request.body()

    def take() -> a.Delivery:
        try:
            row, is_known = files.take(account, name, content, zone_of("timezone", timezone))
        except InputError as error:
            raise RequestError(422, "BadFile", str(error), error.where) from error
        return a.Delivery(**row, is_known=is_known)

    return await asyncio.to_thread(take)


@_router.get("/deliveries", tags=["metering"])
def deliveries(
    parts: Having, files: Files, reader: Asking, after: After = 0, most: Most = 100, purpose: Purpose = ""
) -> list[a.Delivery]:
    """Files that were brought: a metering operator sees its own."""
    if require(reader, "deliveries", is_own=True) is Right.OWN:
        rows = files.list_(reader.account, after, most)
    else:
        note = about(parts, reader, "deliveries", 0, purpose)
        rows = files.list_(None, after, most)
        note(len(rows))
    return [a.Delivery(**row, is_known=True) for row in rows]


@_router.get("/members/{participant}/readings", tags=["members"])
def readings(
    parts: Having,
    files: Files,
    reader: Asking,
    participant: Number,
    first_day: DayNumber,
    last_day: DayNumber,
    versions: Annotated[bool, Query(description="what a later version has taken the place of, too")] = False,
    purpose: Purpose = "",
) -> list[a.Reading]:
    """What metering operators have said of a participant's meters, of at most 31 days.

    What the market settles on is what meters have signed: see /energy.
    """
    note = about(parts, reader, "readings", participant, purpose)
    _require_span(first_day, last_day)
    calendar = parts.calendar
    seconds = calendar.period_length * calendar.periods_per_day
    first, end = (calendar.opening + day * seconds for day in (first_day - 1, last_day))
    found = [_reading(told) for told in files.values(participant, first, end, versions)]
    note(len(found))
    return found


def _reading(told: Told) -> a.Reading:
    kept = {name: getattr(told, name) for name in ("meter", "direction", "seconds", "quality", "version", "delivery")}
    starts, issued = (
        None if time is None else f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"
        for time in (told.start, told.issued)
    )
    return a.Reading(**kept, starts_at=starts, energy_kwh=kwh(told.energy), issued_at=issued)


# --------------------------------------------------------------------------------------------------------- messages


@_router.post("/messages", tags=["messages"], status_code=202)
def send(parts: Having, reader: Asking, envelope: Envelope) -> a.Status:
    """Bring a signed message. The same message again changes nothing, and tells what has become of it."""
    require(reader, "send")
    return _take(parts, envelope)


@_router.post(
    "/messages:batch",
    tags=["messages"],
    status_code=202,
    openapi_extra={"requestBody": {"required": True, "content": {_NDJSON: {"schema": {"type": "string"}}}}},
)
async def send_batch(request: Request, parts: Having, reader: Asking) -> list[a.Result]:
    """Bring many, an envelope a line. Each is taken or refused for itself, and answered in the order of the lines."""
    require(reader, "send")
    if request.headers.get("content-type", "").partition(";")[0].strip() != _NDJSON:
        raise RequestError(422, "MalformedRequest", f"the body must be {_NDJSON}")
    lines = [(n, line) for n, line in enumerate((await request.body()).split(b"\n"), start=1) if line.strip()]
    most = parts.configuration.limits.batch
    if not 0 < len(lines) <= most:
        raise RequestError(422, "MalformedRequest", f"a batch has 1 to {most} lines, this has {len(lines)}")
    return await asyncio.to_thread(lambda: [*_take_each(parts, lines)])


def _take_each(parts: Parts, lines: list[tuple[int, bytes]]) -> Iterator[a.Result]:
    for number, line in lines:
        try:
            status = _take(parts, Envelope.model_validate_json(line))
            yield a.Result(line=number, status=status)
        except ValidationError as error:
            refused = RequestError(422, "MalformedRequest", _first(error.errors()))
            yield a.Result(line=number, problem=a.Problem(**problem(refused)))
        except RequestError as error:
            yield a.Result(line=number, problem=a.Problem(**problem(error)))


def _take(parts: Parts, envelope: Envelope) -> a.Status:
    if parts.bringing is None:
        raise RequestError(503, "NoRelayer", "this gateway brings no messages")
    checked = check(envelope, parts.chain_id, parts.contracts)
    record = parts.store.message(checked.id)
    if record is None:
        if isinstance(checked.message, Withdrawal) and checked.message.to_bank:
            _require_payable(parts, checked.sender, checked.message)
        place, more = _place(parts, checked), offers.taken(parts, checked) | escrows.taken(parts, checked)
        record = parts.store.accept(checked.id, envelope.type, checked.sender, envelope.model_dump(), place, **more)
    elif isinstance(checked.message, JOINT) and checked.sender != record.sender:
        record = countersigned(parts, checked, envelope.signature)
    elif checked.sender != record.sender:
        # Acceptances and openings name nobody who signs them: two may bring the same words.
        why = "another account has brought the very same words: accept an offer with another expiry"
        raise RequestError(409, "IdTaken", why)
    return _status(record)


def _require_payable(parts: Parts, account: str, asked: Withdrawal) -> None:
    """It waits for the treasurer, so it has to be one that a treasurer can pay."""
    if not parts.has_office(Role.TREASURER):
        raise RequestError(503, "NoTreasurer", "this gateway knows no treasurer who pays to banks")
    if not 0 < asked.amount < 1 << 96 or asked.amount % CENT:
        why = f"a bank pays whole cents: {currency(Money(asked.amount))} is none"
        raise RequestError(422, "NotWholeCents", why)
    if not parts.index.participant_of(account):
        raise RequestError(422, "NotAMember", "the treasurer pays members alone")


def _place(parts: Parts, checked: Checked) -> Place | None:
    """Of a sheet of orders: its lines of its day, from when its auction is open. Of a ballot's opening: its count."""
    sheet, calendar = checked.message, parts.calendar
    if isinstance(sheet, Opening):
        return _count(parts, checked.sender, sheet)
    if not isinstance(sheet, OrderSheet):
        return None
    # The clock of the chain may be a block behind.
    opens, late = calendar.opens_at(sheet.day), (calendar.open_lead - calendar.gate_lead) // 10
    due, now = opens + min(_OPENING_SECONDS, late), parts.store.now()
    if due > now:
        last = (now - calendar.opens_at(1)) // calendar.day_length + 1 + _HELD_DAYS
        if sheet.day > last:
            why = f"day {sheet.day} opens in more than {_HELD_DAYS} days: the last one that is held is {last}"
            raise RequestError(422, "TooEarly", why)
        if not parts.index.participant_of(checked.sender):
            raise RequestError(422, "NotAMember", f"day {sheet.day} is not open yet: sheets are held for members alone")
    address = parts.contracts[checked.contract].lower()
    name = f"{address}/{sheet.day}/{sheet.first_line}+{len(sheet.lines)}"
    return Place(name, due, sheet.sequence)


def _count(parts: Parts, sender: str, opening: Opening) -> Place:
    if parts.elections is None:
        raise RequestError(503, "NoElections", "this gateway does not know when elections are")
    times, now = parts.elections.times(opening.election), parts.store.now()
    # Not a moment earlier: it would tell the vote while others still cast theirs.
    due = times.counting + min(_OPENING_SECONDS, parts.elections.counting_period // 10)
    if due > now:
        if now < times.voting:
            why = f"election {opening.election} takes no ballots yet: from then on their openings are held"
            raise RequestError(422, "TooEarly", why)
        if not opening.id or parts.index.participant_of(sender) != opening.id:
            why = f"the ballot is of member {opening.id}: until the count openings are held for their voters alone"
            raise RequestError(422, "NotTheVoter", why)
    return Place(f"{parts.contracts['Elections'].lower()}/{opening.election}", due, opening.sequence)


def _status(record: Record) -> a.Status:
    return a.Status(**{name: getattr(record, name) for name in a.Status.model_fields})


@_router.get("/messages/{id}", tags=["messages"])
def message(
    parts: Having,
    reader: Asking,
    id_: Annotated[str, Path(alias="id", pattern="^0x[0-9a-f]{64}$")],
    purpose: Purpose = "",
) -> a.Status:
    """What has become of a message that one has sent."""
    record = parts.store.message(id_)
    is_own = record is not None and record.sender == reader.account
    require(reader, "message", is_own)
    if record is None:
        raise RequestError(404, "NotFound", f"the gateway was never brought {id_}")
    if not is_own:
        about(parts, reader, "message", parts.index.participant_of(record.sender), purpose)(1)
    return _status(record)


@_router.post("/council/approvals", tags=["offices"], status_code=202)
def approve(parts: Having, reader: Asking, told: a.Approval) -> a.Passed:
    """Pass a seat's approval of a proposal on to the node: a transaction, whose signature says whose it is."""
    require(reader, "approve")
    if parts.approvals is None:
        raise RequestError(503, "NoNode", "this gateway passes no transactions on")
    return a.Passed(transaction=parts.approvals.take(told.transaction))


@_router.get("/queue", tags=["offices"])
def queue(request: Request, parts: Having, reader: Asking) -> a.Queue:
    """How many messages wait, and what is in the way."""
    require(reader, "queue")
    trouble = parts.bringing.trouble if parts.bringing else ""
    return a.Queue(counts=parts.store.counts(), trouble=trouble, streams=request.app.state.streams.count)


@_router.get("/metrics", tags=["offices"], response_class=PlainTextResponse)
def metrics(parts: Having, reader: Asking) -> Response:
    """How many persons offices read about, and how many messages wait, for Prometheus."""
    require(reader, "metrics")
    return Response(watch.metrics(parts), media_type="text/plain; version=0.0.4; charset=utf-8")


@_router.get("/payouts", tags=["offices"])
def payouts(parts: Having, reader: Asking, most: Most = 100) -> list[a.Payout]:
    """Withdrawals to banks that wait for the treasurer, the oldest first.

    Members send them to the treasurer, so that their being read is not noted.
    """
    require(reader, "payouts")
    waiting = parts.store.messages(State.PAYOUT, most)
    return [a.Payout(id=one.id, envelope=Envelope.model_validate(one.envelope)) for one in waiting]


@_router.post("/payouts/{id}:refuse", tags=["offices"])
def refuse_payout(
    parts: Having, reader: Asking, id_: Annotated[str, Path(alias="id", pattern="^0x[0-9a-f]{64}$")], told: a.Refused
) -> a.Status:
    """Tell why a withdrawal to a bank cannot be paid out, as it was signed."""
    require(reader, "payouts")
    record = parts.store.refuse_payout(id_, told.why)
    if record is None:
        raise RequestError(404, "NotFound", f"no withdrawal {id_} waits for the treasurer")
    return _status(record)


@_router.get(
    "/events",
    tags=["messages"],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def events(
    request: Request,
    reader: Asking,
    after: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    last_event_id: Annotated[str | None, Header(pattern="^[0-9]{1,15}$")] = None,
) -> StreamingResponse:
    """What happens, as server-sent events: blocks for everybody, and the states of one's own messages.

    An event `message` tells a state; `retract` that the chain has given back the block it was in; `offer` that a
    contract is offered to one, or one's offer is answered; `ending` that the other side would end a contract; `escrow`
    that somebody has signed a trade in escrow, or how one is paid, and waits for one's own signature. Who names the
    last event that it had, by Last-Event-ID or `after`, misses none.
    """
    require(reader, "events", is_own=True)
    streams: Streams = request.app.state.streams
    streams.require_room()
    since = int(last_event_id) if last_event_id else after
    return StreamingResponse(streams.listen(since, reader.account), media_type="text/event-stream")


# ------------------------------------------------------------------------------------------------------------ logins


@_router.get("/login", tags=["login"])
def login_text(request: Request, account: Annotated[str, Query(pattern="^0x[0-9a-fA-F]{40}$")]) -> a.LoginText:
    """The text that an account has to sign (EIP-4361)."""
    parts = parts_of(request)
    if not is_address(account):
        raise RequestError(422, "MalformedRequest", "account: its checksum (EIP-55) is wrong")
    return a.LoginText(message=_logins(parts).text(account, parts.clock()))


@_router.post("/login", tags=["login"])
def log_in(parts: Having, login: a.Login) -> a.Token:
    """A token for who signed the text."""
    account, token = _logins(parts).log_in(login.message, login.signature, parts.clock())
    reader = known(parts, account)
    seconds = parts.configuration.token_seconds
    return a.Token(
        token=token,
        expires_in=seconds,
        account=account,
        participant=reader.participant,
        roles=sorted(reader.roles),
    )


@_router.delete("/login", tags=["login"], status_code=204)
def log_out(parts: Having, token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Response:
    """End the token."""
    if token is not None:
        parts.store.shut(token.credentials)
    return Response(status_code=204)


def _logins(parts: Parts) -> Logins:
    configuration = parts.configuration
    return Logins(
        parts.store, configuration.domain, configuration.public_url, parts.chain_id, configuration.token_seconds
    )


@_router.post(
    "/oauth/token",
    tags=["login"],
    responses={400: {"model": a.ClientRefusal}, 401: {"model": a.ClientRefusal}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": a.CLIENT_FORM}},
        },
        "security": [{"HTTPBasic": []}, {}],
    },
)
async def admit(request: Request, parts: Having) -> Response:
    """A token for an institution's software (OAuth2 client credentials)."""
    told = request.headers
    try:
        shown = credentials(told.get("authorization", ""), told.get("content-type", ""), await request.body())
        found = await asyncio.to_thread(parts.store.admit, *shown, parts.configuration.token_seconds)
        if found is None:
            raise Refusal(401, "invalid_client", "there is no client of that name and secret, or it has expired")
    except Refusal as refusal:
        headers = {"WWW-Authenticate": "Basic"} if refusal.status == 401 else None
        told_ = a.ClientRefusal(error=refusal.error, error_description=refusal.why)
        return JSONResponse(told_.model_dump(), refusal.status, headers)
    token, offices = found
    seconds = parts.configuration.token_seconds
    made = a.ClientToken(access_token=token, token_type="Bearer", expires_in=seconds, scope=" ".join(offices))
    return JSONResponse(made.model_dump())


@_router.get("/access", tags=["members"])
def access(parts: Having, reader: Asking, after: After = 0, most: Most = 100) -> list[a.Access]:
    """Who has read about one, and why; an auditor sees who has read about anybody."""
    right = require(reader, "access", is_own=reader.participant != 0)
    participant = None if right is Right.ALL else reader.participant
    return [a.Access(**row) for row in parts.store.accesses(participant, after, most)]
