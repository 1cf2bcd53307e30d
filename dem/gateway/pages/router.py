"""The pages and who may open each: a table of page x resources, on top of the rights to resources."""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from importlib.resources import files
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRouter

from dem.errors import RequestError
from dem.gateway import answers as a
from dem.gateway import watch
from dem.gateway.bills.days import of_member
from dem.gateway.bills.drawing import as_csv, as_html, as_pdf, as_xml, values
from dem.gateway.consents import TEXTS, Consent, agreed, moment, version_of
from dem.gateway.login import Logins
from dem.gateway.network import Flows
from dem.gateway.offers import Phase, is_used, offers_of
from dem.gateway.pages import admissions, choices, dispatch, offices, trades
from dem.gateway.pages import limits as standing
from dem.gateway.pages.charts import steps
from dem.gateway.pages.drawing import draw
from dem.gateway.pages.figures import Day, Market, Slot, mean_price, units
from dem.gateway.pages.language import LANGUAGES, Language, language, preferred
from dem.gateway.parts import Parts, about, known, parts_of, proofs_of
from dem.gateway.reads import Row
from dem.gateway.rights import Reader, Role, require
from dem.gateway.state import Record, State
from dem.model.bills import Document
from dem.model.strips import LANES
from dem.model.units import KWH_DECIMALS, MONEY_DECIMALS
from dem.replay.evidence import check

PAGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "community": ("/", ("aggregates",)),
    "home": ("/members/{participant}", ("member", "energy", "settlements")),
    "orders": ("/members/{participant}/orders", ("orders",)),
    "limits": ("/members/{participant}/limits", ("standing",)),
    "offers": ("/members/{participant}/offers", ("offers",)),
    "intermediary": ("/members/{participant}/intermediary", ("choice",)),
    "proof": ("/members/{participant}/proof", ("proof",)),
    "money": ("/members/{participant}/money", ("member", "settlements", "transfers", "coins", "escrows")),
    "bills": ("/members/{participant}/bills", ("bills",)),
    "bill": ("/members/{participant}/bills/{number}", ("bills",)),
    "alerts": ("/members/{participant}/alerts", ("member", "energy", "orders", "settlements")),
    "admission": ("/admission", ("application",)),
    "readers": ("/members/{participant}/readers", ("access",)),
    "privacy": ("/members/{participant}/privacy", ("consents",)),
    "export": ("/members/{participant}/export", ("export",)),
    "prices": ("/prices", ("prices",)),
    "operations": ("/operations", ("operations",)),
    "network": ("/network", ("network",)),
    "votes": ("/votes", ("elections",)),
    "proposals": ("/proposals", ("proposals",)),
    "audit": ("/audit", ("audit",)),
}
"""Path of each page, and the resources that it shows: who lacks the right to one of them cannot open it."""
_OF_EVERYBODY = ("community", "prices", "votes", "proposals")
"""Pages about nobody: members may open what is told to members."""
_IN_THE_BAR = ("operations", "network", "proposals", "audit", "prices", "votes")
"""Pages that everybody who may open them finds at the top."""
_OF_THE_ACCOUNT = ("admission",)
"""Pages about whoever is logged in, member or not yet."""
SESSION, SPOKEN = "dem_session", "dem_language"
"""Cookies."""
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_OWN_DAYS = 14
_COIN_DAYS = 31
"""Days with coins, transfers of them, and trades in escrow that a page shows, the newest ones."""
_ACCESSES = 200
"""Readings about members that a page shows, the newest ones."""
_FILES = (".pdf", ".csv", ".xml")
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "txt": "text/plain"}
_LAST_DAY = 1_000_000
"""Of which a calendar still has a date."""
_FEW_DAYS = 5
"""Standing limits run out if they are signed for fewer."""
_LOW_DAYS = 7
"""Money is low if it does not last so many days like the last ones."""

router = APIRouter(include_in_schema=False)


class Asked:
    """A request for a page: who asks, in which language, for what."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.parts = parts_of(request)
        self.spoken = spoken_by(request)
        self.reader = reader_by(request)
        parts, told = self.parts, self.parts.configuration
        self.market = Market(parts.index, parts.calendar, told.zone, parts.clock(), told.least_traders)

    def open(self, page: str, participant: int = 0, purpose: str = "") -> Callable[[int], None]:
        """Check the right to a page. What is returned notes how many rows were read, if another's were."""
        resources = PAGES[page][1]
        is_own = participant == self.reader.participant != 0 or page in _OF_EVERYBODY
        is_own |= page in _OF_THE_ACCOUNT and self.reader.account is not None
        for resource in resources:  # before anybody is asked for a purpose
            require(self.reader, resource, is_own)
        if page in (*_OF_EVERYBODY, *_OF_THE_ACCOUNT):
            return lambda _rows: None
        notes = [about(self.parts, self.reader, resource, participant, purpose) for resource in resources]

        def note(rows: int) -> None:
            for one in notes:
                one(rows)

        return note

    def page(self, name: str, status: int = 200, **values_: Any) -> HTMLResponse:
        """The answer."""
        told = {"page": name, "own": self.reader.participant} | values_
        return page(self.request, self.spoken, self.reader, f"{name}.html.j2", status, **told)


def _asked(request: Request) -> Asked:
    return Asked(request)


Asking = Annotated[Asked, Depends(_asked)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
SlotAsked = Annotated[int | None, Query(ge=0, le=1_000)]
DayAsked = Annotated[int | None, Query(ge=1, le=_LAST_DAY)]
Purpose = Annotated[str, Query(max_length=200)]
Sent = Annotated[str, Query(max_length=10)]


def spoken_by(request: Request) -> Language:
    """The language that was chosen, or that the browser prefers."""
    chosen = request.cookies.get(SPOKEN, "")
    return language(chosen if chosen in LANGUAGES else preferred(request.headers.get("accept-language", "")))


def reader_by(request: Request) -> Reader:
    """Who asks, by the session's cookie."""
    parts, token = parts_of(request), request.cookies.get(SESSION, "")
    account = parts.store.account_of(token) if token else None
    return known(parts, account) if account else Reader()


def page(
    request: Request, spoken: Language, reader: Reader, template: str, status: int = 200, **told: Any
) -> HTMLResponse:
    """A page, with what all of them need."""
    configuration = parts_of(request).configuration
    allowed = [name for name in _IN_THE_BAR if _may(reader, PAGES[name][1])]
    text = draw(
        template,
        spoken,
        reader=reader,
        allowed=allowed,
        market_name=configuration.name,
        currency=configuration.currency,
        languages=[(code, language(code).name) for code in LANGUAGES],
        here=request.url.path,
        **told,
    )
    headers = {"content-security-policy": POLICY, "vary": "cookie, accept-language"}
    return HTMLResponse(text, status, headers)


def _may(reader: Reader, resources: Sequence[str]) -> bool:
    try:
        for resource in resources:
            require(reader, resource, is_own=reader.participant != 0)
    except RequestError:
        return False
    return True


def refusal(request: Request, error: RequestError) -> Response:
    """A refusal as a page: it says no more than the interface does."""
    if error.status == 401:
        return RedirectResponse(f"/login?next={quote(request.url.path)}", 303)
    spoken, reader = spoken_by(request), reader_by(request)
    template = "purpose.html.j2" if error.name == "PurposeMissing" else "error.html.j2"
    return page(request, spoken, reader, template, error.status, page="error", error=error, own=reader.participant)


# ------------------------------------------------------------------------------------------------------ everybody


@router.get("/")
def community(asked: Asking, day: DayAsked = None) -> Response:
    """What everybody may know: days, and prices where enough members trade."""
    asked.open("community")
    market = asked.market
    shown = market.shown_day(day)
    slots = market.public_slots(shown)
    days = market.days(market.day_now() + 1, _OWN_DAYS)
    by_number = {slot.number: slot for slot in slots}
    tariffs = market.slots(shown)
    told = [by_number.get(slot.number, replace(slot, price=None)) for slot in tariffs]
    return asked.page(
        "community",
        day=shown,
        starts=market.local(market.calendar.start_of(shown)),
        days=days,
        slots=slots,
        least=market.least_traders,
        periods=market.calendar.periods_per_day,
        volume_wh=sum(slot.volume_wh for slot in slots),
        mean=mean_price(slots),
        pictures=_price_pictures(told),
    )


@router.get("/static/{name}")
def static(name: Annotated[str, Path(pattern=r"^[a-z0-9-]{1,40}\.(css|js|svg|txt)$")]) -> Response:
    """What pages load."""
    path = files("dem.gateway.pages") / "static" / name
    if not path.is_file():
        raise RequestError(404, "NotFound", f"there is no {name}")
    headers = {"cache-control": "public, max-age=3600"}
    return Response(path.read_bytes(), media_type=_KINDS[name.rpartition(".")[2]], headers=headers)


@router.get("/language/{code}")
def speak(request: Request, code: str, next_: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Choose a language."""
    answer = RedirectResponse(_inside(next_), 303)
    if code in LANGUAGES:
        secure = parts_of(request).configuration.public_url.startswith("https://")
        answer.set_cookie(SPOKEN, code, 31_536_000, httponly=True, samesite="lax", secure=secure)
    return answer


def _inside(path: str) -> str:
    """A path of this gateway, whatever was asked for."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


# --------------------------------------------------------------------------------------------------------- logins


@router.get("/login")
def login(asked: Asking, next_: Annotated[str, Query(alias="next")] = "") -> Response:
    """Where one logs in."""
    return asked.page("login", next=_inside(next_ or "/"))


@router.post("/session")
def begin(request: Request, login: a.Login) -> Response:
    """Begin a session by a signed text."""
    parts = parts_of(request)
    configuration = parts.configuration
    logins = Logins(
        parts.store, configuration.domain, configuration.public_url, parts.chain_id, configuration.token_seconds
    )
    account, token = logins.log_in(login.message, login.signature, parts.clock())
    participant = known(parts, account).participant
    where = json.dumps({"participant": participant})
    answer = Response(where, 200, media_type="application/json")
    secure = configuration.public_url.startswith("https://")
    answer.set_cookie(SESSION, token, configuration.token_seconds, httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/session/end")
def end(request: Request) -> Response:
    """End it."""
    parts_of(request).store.shut(request.cookies.get(SESSION, ""))
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(SESSION)
    return answer


# ------------------------------------------------------------------------------------------------------- newcomers


@router.get("/join")
def join(asked: Asking) -> Response:
    """Where one makes a key and applies."""
    return asked.page("join")


@router.get("/admission")
def admission(asked: Asking) -> Response:
    """How far the admission is of who is logged in."""
    asked.open("admission")
    account = asked.reader.account
    assert account is not None  # else it has not the right
    return asked.page("admission", **admissions.of(asked.parts, asked.market, account, asked.reader.participant))


# -------------------------------------------------------------------------------------------------------- members


@router.get("/members/{participant}")
def home(asked: Asking, participant: Number, day: DayAsked = None, purpose: Purpose = "") -> Response:
    """A member's home: now, a day, the month."""
    note = asked.open("home", participant, purpose)
    market = asked.market
    shown = market.shown_day(day)
    member = asked.parts.index.participant(participant)
    month = market.days_of_month(shown)
    energy = market.energy(participant, range(shown, shown + 1))
    note(len(energy))
    slots = market.slots(shown)
    use = [None] * market.calendar.periods_per_day
    had: list[float | None] = [*use]
    did: list[float | None] = [*use]
    for row in energy:
        had[row["slot"]], did[row["slot"]] = row["contracted"] / 1_000, row["metered"] / 1_000
    now = _now(market, slots, shown)
    read = [row for row in energy if row["slot"] <= (now.number if now else len(slots))]
    return asked.page(
        "home",
        member=member,
        participant=participant,
        day=shown,
        starts=market.local(market.calendar.start_of(shown)),
        month=market.local(market.calendar.start_of(month[0])),
        day_use=market.use(participant, range(shown, shown + 1)),
        month_use=market.use(participant, month),
        now=now,
        latest=read[-1] if read and now else None,
        has_next=bool(market.known_days(shown + 1, shown + 1)),
        pictures=_pictures([("contracted", had), ("metered", did)], slots),
        rows=[(slot.starts, had[slot.number], did[slot.number]) for slot in slots],
        alerts=_alerts(asked, participant, member),
        balance=units(member.get("balance") or "0.0"),
        purpose=purpose,
    )


def _now(market: Market, slots: Sequence[Slot], day: int) -> Slot | None:
    """The period that is delivered now, if it is one of the day."""
    passed = int(market.now.timestamp()) - market.calendar.start_of(day)
    number = passed // market.calendar.period_length
    return slots[number] if 0 <= number < len(slots) else None


@router.get("/members/{participant}/orders")
def orders(asked: Asking, participant: Number, day: DayAsked = None, purpose: Purpose = "") -> Response:
    """A member's orders of a day, and what became of each."""
    note = asked.open("orders", participant, purpose)
    market, index = asked.market, asked.parts.index
    shown = day if day is not None else max([*market.known_days(), market.shown_day(None)])
    member = index.participant(participant)
    rows = market.orders(participant, shown)
    sent = asked.parts.store.messages_of(member["account"], 30, but=(State.HELD, State.REPLACED))
    note(len(rows) + len(sent))
    return asked.page(
        "orders",
        member=member,
        participant=participant,
        day=shown,
        starts=market.local(market.calendar.start_of(shown)),
        gate=market.local(market.calendar.gate_closes_at(shown)),
        is_open=market.now.timestamp() < market.calendar.gate_closes_at(shown),
        is_cleared=market.is_cleared(shown),
        rows=rows,
        sent=[_sent(record) for record in sent],
        refused=offices.refused(asked.parts, market, member["account"]),
        purpose=purpose,
    )


def _sent(record: Record) -> Row:
    return {"type": record.type, "state": str(record.state), "block": record.block, "refusal": record.refusal}


@router.get("/members/{participant}/limits")
def limits(asked: Asking, participant: Number, signed: Sent = "") -> Response:
    """A member's standing limits: signed for the coming days, and what became of each."""
    asked.open("limits", participant)
    market, parts = asked.market, asked.parts
    member = parts.index.participant(participant)
    days = standing.ahead(parts, market, participant, member["account"])
    last = max((one.starts for one in days if one.state is not None), default=None)
    terms = standing.terms(parts, market, participant, member)
    return asked.page(
        "limits",
        participant=participant,
        days=days,
        last=last,
        terms=json.dumps(terms, separators=(",", ":")),
        net=terms["expected"],
        signed=signed,
    )


@router.get("/members/{participant}/offers")
def offers(asked: Asking, participant: Number, sent: Sent = "") -> Response:
    """Contracts with other members: those that there are, and those that are offered."""
    asked.open("offers", participant)
    market, parts = asked.market, asked.parts
    member = parts.index.participant(participant)
    return asked.page(
        "offers",
        participant=participant,
        member=member,
        is_used=is_used(parts),
        contracts=trades.contracts(parts, market, participant, member["account"]),
        ending_of=partial(trades.ending_terms, market),
        offers=trades.offers(parts, market, participant, member["account"]),
        days=trades.days(market),
        slots=market.slots(trades.first_day(market)),
        terms_told=trades.terms(market, member),
        sent=sent,
        messages=_messages(parts, member["account"], "Proposal", "Acceptance", "Revocation", "Ending"),
    )


@router.get("/members/{participant}/intermediary")
def intermediary(asked: Asking, participant: Number, sent: Sent = "") -> Response:
    """Who trades for a member, and who else could."""
    asked.open("intermediary", participant)
    market, parts = asked.market, asked.parts
    member, first = parts.index.participant(participant), choices.earliest(market)
    return asked.page(
        "intermediary",
        participant=participant,
        member=member,
        chosen=choices.chosen(parts, market, participant),
        offered=choices.offered(parts, first),
        earliest=first,
        begins=market.local(market.calendar.start_of(first)),
        sent=sent,
        messages=_messages(parts, member["account"], "Mandate"),
    )


@router.get("/votes")
def votes(asked: Asking, sent: Sent = "") -> Response:
    """The newest election, and the reader's vote."""
    asked.open("votes")
    account = asked.reader.account or ""
    return asked.page(
        "votes",
        election=choices.election(asked.parts, asked.market, account, asked.reader.participant),
        account=account if asked.reader.participant else "",
        sent=sent,
        messages=_messages(asked.parts, account, "Nomination", "Ballot", "Opening"),
    )


def _messages(parts: Parts, account: str, *types: str) -> list[Row]:
    """What an account has sent of these types, the newest first."""
    return [_sent(one) for one in parts.store.messages_of(account, 100) if one.type in types]


@router.get("/prices")
def prices(asked: Asking, day: DayAsked = None) -> Response:
    """Prices of today and tomorrow."""
    asked.open("prices")
    market = asked.market
    shown = market.shown_day(day)
    days = []
    for number in (shown, shown + 1):
        slots = market.slots(number)
        days.append(
            {
                "number": number,
                "starts": market.local(market.calendar.start_of(number)),
                "slots": slots,
                "mean": mean_price(slots),
                "is_cleared": market.is_cleared(number),
                "gate": market.local(market.calendar.gate_closes_at(number)),
                "pictures": _price_pictures(slots),
                "now": _now(market, slots, number),
            }
        )
    return asked.page("prices", day=shown, days=days)


@router.get("/members/{participant}/money")
def money(asked: Asking, participant: Number, purpose: Purpose = "", sent: Sent = "") -> Response:
    """A member's account: what is on it, what came and went."""
    note = asked.open("money", participant, purpose)
    market, index = asked.market, asked.parts.index
    last = market.shown_day(None)
    days = index.settlements(participant, max(1, last - 30), last + 1)[::-1]
    transfers = index.transfers(participant)
    side = _side_payments(asked.parts, participant)
    coins, given, trades_ = index.coins(participant), index.coin_transfers(participant), index.escrows(participant)
    member = index.participant(participant)
    note(len(days) + len(transfers) + len(side) + len(coins) + len(given) + len(trades_))
    for row in (*days, *coins, *trades_):
        row["starts"] = market.local(market.calendar.start_of(row["day"]))
    return asked.page(
        "money",
        member=member,
        participant=participant,
        days=days,
        transfers=transfers,
        side=side,
        coins=index.coin_balance(participant) if coins or given else None,
        coin_days=coins[:_COIN_DAYS],
        given=given[:_COIN_DAYS],
        escrows=trades_[:_COIN_DAYS],
        units=units,
        purpose=purpose,
        sent=sent,
        messages=_messages(asked.parts, member["account"], "Withdrawal", "CoinTransfer", "EscrowTrade"),
        pays_to_banks=asked.parts.has_office(Role.TREASURER),
    )


def _side_payments(parts: Parts, participant: int) -> list[Row]:
    return parts.index.rows(
        "SELECT day, what, CAST(round(amount_eur * 1e8) AS BIGINT) AS units FROM side_payments "
        "WHERE participant = :participant ORDER BY day DESC, what, units LIMIT 100",
        participant=participant,
    )


@router.get("/members/{participant}/bills")
def bills(asked: Asking, participant: Number, purpose: Purpose = "") -> Response:
    """A member's bills."""
    note = asked.open("bills", participant, purpose)
    documents = _documents(asked.parts, participant)
    note(len(documents))
    member = asked.parts.index.participant(participant)
    return asked.page(
        "bills",
        member=member,
        participant=participant,
        documents=[(one, values(one)) for one in reversed(documents)],
        purpose=purpose,
    )


@router.get("/members/{participant}/bills/{number}")
def bill(asked: Asking, participant: Number, number: str, purpose: Purpose = "") -> Response:
    """One of them, as a page or as a file."""
    note = asked.open("bill", participant, purpose)
    name, _, kind = number.rpartition(".") if number.endswith(_FILES) else (number, "", "")
    document = next((one for one in _documents(asked.parts, participant) if one.number == name), None)
    if document is None:
        raise RequestError(404, "NotFound", f"participant {participant} has no bill of that number")
    note(1)
    if not kind:
        told = values(document) | {"document": document}
        return asked.page("bill", participant=participant, purpose=purpose, told=told)
    makes: Mapping[str, tuple[str, Callable[[], str | bytes]]] = {
        "pdf": ("application/pdf", lambda: as_pdf(as_html(document, asked.spoken))),
        "csv": ("text/csv; charset=utf-8", lambda: as_csv(document)),
        "xml": ("application/xml", lambda: as_xml(document)),
    }
    media, make = makes[kind]
    return Response(make(), media_type=media, headers=_file(f"{document.number}.{kind}"))


def _documents(parts: Parts, participant: int) -> list[Document]:
    name = parts.index.participant(participant)["name"]
    if parts.bills is None:
        return []
    parts.bills.refresh()
    return of_member(parts.bills, participant, name)


@router.get("/members/{participant}/proof")
def proof(asked: Asking, participant: Number, day: DayAsked = None, as_file: bool = False) -> Response:
    """What proves a member's day and account against the header of a block."""
    asked.open("proof", participant)
    market, parts = asked.market, asked.parts
    proofs = proofs_of(parts)
    days = proofs.days_of(max(1, market.day_now() - _OWN_DAYS), market.day_now())
    shown = day if day is not None else next(iter(days), None)
    if shown is None:
        return asked.page("proof", participant=participant, days=(), shown=None)
    evidence = proofs.of(participant, shown)
    if as_file:
        name = _file(f"proof-{participant}-{shown}.json")
        return Response(evidence.model_dump_json(indent=1), media_type="application/json", headers=name)
    [settled] = parts.index.settlements(participant, shown, shown) or [{"imbalance": "0.0"}]
    found = check(evidence)
    return asked.page(
        "proof",
        participant=participant,
        days=[(number, market.local(market.calendar.start_of(number))) for number in days],
        shown=shown,
        starts=market.local(market.calendar.start_of(shown)),
        found=found,
        is_as_settled=found.beyond == units(settled["imbalance"]),
        when=market.local(found.time),
    )


def _file(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}


@router.get("/members/{participant}/alerts")
def alerts(asked: Asking, participant: Number, purpose: Purpose = "") -> Response:
    """What a member should look at."""
    note = asked.open("alerts", participant, purpose)
    member = asked.parts.index.participant(participant)
    found = _alerts(asked, participant, member)
    note(len(found))
    return asked.page("alerts", member=member, participant=participant, alerts=found, purpose=purpose)


def _alerts(asked: Asked, participant: int, member: Row) -> list[Row]:
    """By kind, with what its sentence needs."""
    market, parts, found = asked.market, asked.parts, list[Row]()
    today = market.shown_day(None)
    now = market.now.timestamp()
    for day in market.known_days(last=market.day_now() - 1)[-1:]:
        rows = parts.index.rows(
            "SELECT count(DISTINCT strip) AS n FROM strip_read WHERE id = :id AND day = :day", id=participant, day=day
        )
        if member["meter"] != "0x" + "00" * 20 and rows[0]["n"] * LANES < market.calendar.periods_per_day:
            deadline = market.local(market.calendar.metering_deadline(day))
            found.append({"kind": "meter", "day": market.local(market.calendar.start_of(day)), "deadline": deadline})
    owed, balance = units(member.get("arrears") or "0.0"), units(member.get("balance") or "0.0")
    if owed:
        found.append({"kind": "arrears", "units": owed})
    paid = [units(row["paid"]) for row in parts.index.settlements(participant, max(1, today - _LOW_DAYS + 1), today)]
    if paid and 0 <= balance < _LOW_DAYS * max(0, sum(paid)) // len(paid):
        found.append({"kind": "low", "units": balance})
    refused = offices.refused(parts, market, member["account"])
    if refused:
        found.append({"kind": "refused", "count": len(refused), "reason": refused[0].reason})
    last = standing.last_signed(parts, market, member["account"])
    if last is not None and last < standing.coming(market)[0] + _FEW_DAYS:
        found.append({"kind": "limits", "day": market.local(market.calendar.start_of(last))})
    theirs = [one for one in offers_of(parts, participant) if one.proposer != participant]
    count = len([one for one in theirs if one.phase is Phase.OPEN])
    if count:
        found.append({"kind": "offers", "count": count})
    wanted = choices.wanted(parts, market, participant)
    if wanted is not None:
        found.append(wanted)
    tomorrow = market.day_now() + 1
    gate = market.calendar.gate_closes_at(tomorrow)
    if now < gate < now + 2 * 3_600 and not parts.index.orders(participant, tomorrow):
        found.append({"kind": "gate", "gate": market.local(gate)})
    return found


@router.get("/members/{participant}/readers")
def readers(asked: Asking, participant: Number, purpose: Purpose = "") -> Response:
    """Who has read about a member, and why."""
    note = asked.open("readers", participant, purpose)
    rows = asked.parts.store.newest_accesses(participant, _ACCESSES)
    note(len(rows))
    return asked.page(
        "readers",
        member=asked.parts.index.participant(participant),
        participant=participant,
        rows=[_read(row, asked.market) for row in rows],
        purpose=purpose,
    )


def _read(row: Row, market: Market) -> Row:
    """A reading about somebody, in local time."""
    return row | {"when": market.local(row["at"])}


@router.get("/members/{participant}/privacy")
def privacy(asked: Asking, participant: Number) -> Response:
    """What a member agrees to, and how long what is kept."""
    asked.open("privacy", participant)
    market, parts = asked.market, asked.parts
    rows, retention = parts.store.consents(participant), parts.configuration.retention
    holding = {row["purpose"]: row for row in rows if row["withdrawn"] is None}
    told = []
    for purpose in Consent:
        version, own = version_of(purpose), holding.get(purpose)
        is_held = own is not None and own["version"] == version
        told.append(
            {
                "purpose": purpose,
                "version": version,
                "text": TEXTS[purpose][-1],
                "holds": market.local(own["at"]) if own is not None and is_held else None,
                "is_renewed": own is not None and not is_held,
            }
        )

    def until(row: Row) -> datetime | None:
        return None if row["withdrawn"] is None else market.local(row["withdrawn"])

    is_longer = participant in agreed(parts.store, Consent.VALUES, [participant])
    return asked.page(
        "privacy",
        participant=participant,
        consents=told,
        history=[row | {"agreed": market.local(row["at"]), "until": until(row)} for row in rows],
        retention=retention,
        values_days=max(retention.values, retention.agreed_values) if is_longer else retention.values,
    )


@router.post("/members/{participant}/consents/{purpose}/withdrawal")
def disagree(asked: Asking, participant: Number, purpose: Consent) -> Response:
    """Take a consent back."""
    asked.open("privacy", participant)
    asked.parts.store.withdraw_consent(participant, purpose)
    return RedirectResponse(f"/members/{participant}/privacy", 303)


@router.post("/members/{participant}/consents/{purpose}/{version}")
def agree(
    asked: Asking, participant: Number, purpose: Consent, version: Annotated[int, Path(ge=1, le=1_000)]
) -> Response:
    """Agree to a text, in the version that was shown."""
    asked.open("privacy", participant)
    account = asked.reader.account
    assert account is not None  # else it has not the right
    if version != version_of(purpose):
        raise RequestError(422, "OldText", "this text has been replaced by a newer one: read it, and agree to that")
    asked.parts.store.agree(account, participant, purpose, version)
    return RedirectResponse(f"/members/{participant}/privacy", 303)


@router.get("/members/{participant}/export")
def export(asked: Asking, participant: Number) -> Response:
    """Everything about oneself, as one file."""
    asked.open("export", participant)
    parts, index = asked.parts, asked.parts.index
    member = index.participant(participant)
    last = max([1, *asked.market.known_days()])
    tables: dict[str, list[Row]] = {
        "energy": [row for first in range(1, last + 1, 31) for row in index.energy(participant, first, first + 30)],
        "orders": [row | {"day": day} for day in asked.market.known_days() for row in index.orders(participant, day)],
        "settlements": index.settlements(participant, 1, last),
        "transfers": index.transfers(participant),
        "payments": _side_payments(parts, participant),
        "readers": parts.store.accesses(participant, 0, 100_000),
        "consents": [_consent(row) for row in parts.store.consents(participant)],
        "messages": [_sent(record) for record in parts.store.messages_of(member["account"], 100_000)],
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member.json", json.dumps(member, indent=1))
        for name, rows in tables.items():
            archive.writestr(f"{name}.csv", _table(rows))
        for document in _documents(parts, participant):
            archive.writestr(f"bills/{document.number}.xml", as_xml(document))
            archive.writestr(f"bills/{document.number}.html", as_html(document, asked.spoken))
    return Response(packed.getvalue(), media_type="application/zip", headers=_file(f"member-{participant}.zip"))


def _consent(row: Row) -> Row:
    """As one's own file has it: with the text that one agreed to."""
    ended = row["withdrawn"]
    text = TEXTS[Consent(row["purpose"])][row["version"] - 1]
    told = {"agreed_at": moment(row["at"]), "withdrawn_at": "" if ended is None else moment(ended)}
    return {"purpose": row["purpose"], "version": row["version"], "text": text} | told


def _table(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [*rows[0]] if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


# -------------------------------------------------------------------------------------------------------- offices


@router.get("/operations")
def operations(asked: Asking, day: DayAsked = None) -> Response:
    """The operator's day."""
    note = asked.open("operations", 0, "the operator's page of the day")
    market, parts = asked.market, asked.parts
    days = market.days(market.day_now() + 1, _OWN_DAYS)
    delivered = [one for one in days if market.calendar.start_of(one.number + 1) <= market.now.timestamp()]
    shown = day if day is not None else delivered[0].number if delivered else market.day_now()
    missing = offices.missing_meters(parts, market, shown)
    owing, refused = offices.arrears(parts), offices.refused(parts, market)
    note(len(missing.members) + len(owing.members) + len(refused))
    return asked.page(
        "operations",
        days=days,
        missing=missing,
        arrears=owing,
        refused=refused,
        names=parts.index.named(one.who for one in refused),
        counts=parts.store.counts(),
        trouble=parts.bringing.trouble if parts.bringing else "",
        bulk=_bulk(parts),
    )


def _bulk(parts: Parts) -> list[watch.Reading]:
    """Who has read about very many persons."""
    return [one for one in watch.readings(parts) if one.is_bulk]


@router.get("/network")
def network(asked: Asking, day: DayAsked = None, slot: SlotAsked = None) -> Response:
    """The dispatcher's day: what the network carries, limits and whom they hold, relief."""
    note = asked.open("network", 0, "the dispatcher's page")
    market, parts, calendar = asked.market, asked.parts, asked.market.calendar
    shown = market.shown_day(day)
    flows = parts.flows
    limited = dispatch.limited(parts, market, shown, flows.network if flows else None)
    note(len(limited.held) + len(limited.relief))
    first = calendar.start_of(shown)
    clocks = [market.local(first + n * calendar.period_length) for n in range(calendar.periods_per_day)]
    told: dict[str, Any] = {} if flows is None else _flows(flows, shown, slot, clocks)
    return asked.page(
        "network",
        day=shown,
        starts=clocks[0],
        ends=market.local(calendar.start_of(shown + 1)),
        clocks=clocks,
        has_flows=flows is not None,
        limited=limited,
        is_another=flows is not None and limited.model not in ("", flows.network.digest),
        **told,
    )


def _flows(flows: Flows, day: int, slot: int | None, clocks: Sequence[datetime]) -> dict[str, Any]:
    """Loading and voltage of a day; shown is what was metered, or else what is expected."""
    known = flows.day(day)
    courses = {"metered": known.metered} | ({"expected": known.expected} if known.expected else {})
    told = {name: dispatch.carried(flows, course) for name, course in courses.items()}
    name = "expected" if told["metered"].worst is None and "expected" in told else "metered"
    shown = told[name]
    drawn = shown.worst if slot is None or slot >= len(clocks) or shown.highest[slot] is None else slot
    marks = [(n, _hour(clocks[n])) for n in range(0, len(clocks), max(1, len(clocks) // 8))]
    most = dispatch.percent([flows.network.limits.loading] * len(clocks))
    lines = [({"metered": "metered", "expected": "contracted"}[key], one.loading) for key, one in told.items()]
    return {
        "network": flows.network,
        "courses": [*told.items()],
        "shown": shown,
        "members": known.members,
        "elsewhere": known.elsewhere,
        "slot": drawn,
        "drawn": None if drawn is None else dispatch.drawing(flows.network, courses[name], drawn),
        "loading": steps([*lines, ("limit", most)], marks),
        "voltage": steps([("metered", shown.above), ("contracted", shown.below)], marks),
    }


@router.get("/proposals")
def proposals(asked: Asking, sent: Sent = "") -> Response:
    """The council's proposals, in words; who holds a seat may approve them."""
    asked.open("proposals")
    approvals, account = asked.parts.approvals, asked.reader.account
    seat = account if approvals is not None and account is not None and approvals.has_seat(account) else None
    terms: dict[str, Any] = {}
    if approvals is not None and seat is not None:
        with suppress(RequestError):  # the page says that the node is away
            terms = asdict(approvals.terms(seat))
    rows = offices.proposals(asked.parts, asked.market, account)
    return asked.page("proposals", rows=rows, seat=seat, terms_told=json.dumps(terms), sent=sent)


@router.get("/audit")
def audit(asked: Asking, day: DayAsked = None) -> Response:
    """Decisions, rules, concentration, and who has read what."""
    note = asked.open("audit", 0, "the auditor's page")
    market, parts = asked.market, asked.parts
    shown = market.shown_day(day)
    note(1)
    accesses = parts.store.newest_accesses(None, _ACCESSES)
    own = parts.store.newest_accesses(None, _ACCESSES, asked.reader.account)
    return asked.page(
        "audit",
        day=shown,
        starts=market.local(market.calendar.start_of(shown)),
        proposals=offices.proposals(parts, market),
        seat=None,
        rules=offices.rule_versions(parts),
        concentration=offices.concentration(parts, shown),
        accesses=[_read(row, market) for row in accesses],
        read=[_read(row, market) for row in own],
        bulk=_bulk(parts),
    )


# ------------------------------------------------------------------------------------------------------- pictures


def _price_pictures(slots: Sequence[Slot]) -> Any:
    lines = [(name, [_per_kwh(getattr(slot, name)) for slot in slots]) for name in ("buy", "sell", "price")]
    return _pictures(lines, slots)


def _pictures(lines: Sequence[tuple[str, Sequence[float | None]]], slots: Sequence[Slot]) -> Any:
    every = max(1, len(slots) // 8)
    return steps(lines, [(slot.number, _hour(slot.starts)) for slot in slots[::every]])


def _per_kwh(price: int | None) -> float | None:
    return None if price is None else price * 10**KWH_DECIMALS / 10**MONEY_DECIMALS


def _hour(when: datetime) -> str:
    return f"{when:%H:%M}"


__all__ = ["PAGES", "Day", "refusal", "router"]
