"""A client of the gateway for whoever has a key: what agents use, and an example for other languages.

gateway = Client("http://127.0.0.1:8040", key)
id_ = gateway.send("CallAuction", OrderSheet(...))
gateway.wait(id_)
gateway.log_in()
gateway.get(f"/v1/members/{gateway.participant}/energy", first_day=1, last_day=7)
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import requests
from eth_account import Account
from eth_account.messages import encode_defunct

from dem.errors import ChainError, RequestError
from dem.gateway.protocol import Envelope, seal
from dem.messages.signing import Domain, Message, sign

_DONE = ("in_block", "final", "refused")


class Event(NamedTuple):
    """Of the stream. number: to go on from."""

    number: int
    kind: str
    data: dict[str, Any]


class Client:
    """Asks one gateway, and signs with one key, which never leaves it. Without a key it only reads what is public."""

    def __init__(self, url: str, key: bytes | None = None, session: Any = None, seconds: float = 30) -> None:
        """session: as of `requests`. seconds: that an answer may take."""
        self._url = url.rstrip("/")
        self._key = key
        self._session = session or requests.Session()
        self._seconds = seconds
        self._token = ""
        self.account = Account.from_key(key).address if key else ""
        self.participant = 0

    # ------------------------------------------------------------------------------------------------ requests

    def _ask(self, method: str, path: str, **told: Any) -> Any:
        headers = told.pop("headers", {})
        if self._token:
            headers = {"Authorization": f"Bearer {self._token}"} | headers
        answer = self._session.request(method, self._url + path, headers=headers, timeout=self._seconds, **told)
        if answer.status_code == 204:
            return None
        try:
            found = answer.json()
        except ValueError:
            raise ChainError(f"{self._url}: answers {answer.status_code} and no JSON; is it a gateway?") from None
        if answer.status_code >= 400:
            name = found.get("title") or found.get("error", "Refused")
            why = found.get("detail") or found.get("error_description", "")
            raise RequestError(answer.status_code, name, why)
        return found

    def get(self, path: str, purpose: str = "", **asked: Any) -> Any:
        """What a resource has. purpose: why an office reads about others.

        Raises:
            RequestError: the gateway refuses, with the reason.
        """
        return self._ask("GET", path, params=asked, headers={"Purpose": purpose} if purpose else {})

    @cached_property
    def market(self) -> dict[str, Any]:
        """Addresses, calendar and types of messages."""
        found: dict[str, Any] = self.get("/v1/market")
        return found

    # ------------------------------------------------------------------------------------------------- logins

    def log_in(self) -> None:
        """Show that one has the key of the account."""
        text = self.get("/v1/login", account=self.account)["message"]
        signature = Account.sign_message(encode_defunct(text=text), self._key).signature
        signed = {"message": text, "signature": f"0x{bytes(signature).hex()}"}
        found = self._ask("POST", "/v1/login", json=signed)
        self._token, self.participant = found["token"], found["participant"]

    def log_in_as(self, name: str, secret: str) -> None:
        """Log in as an institution's software, which has a secret and no key."""
        form = {"grant_type": "client_credentials"}
        found = self._ask("POST", "/v1/oauth/token", data=form, auth=(name, secret))
        self._token = found["access_token"]

    def log_out(self) -> None:
        """End the login."""
        self._ask("DELETE", "/v1/login")
        self._token = ""

    # ----------------------------------------------------------------------------------------------- messages

    def envelope(self, contract: str, message: Message) -> Envelope:
        """A message, signed for a contract of the market by its name."""
        if self._key is None:
            raise RequestError(0, "NoKey", "this client has no key to sign with")
        domain = Domain(self.market["chain"], self.market["contracts"][contract])
        return seal(domain, message, sign(domain, message, self._key))

    def send(self, contract: str, message: Message) -> str:
        """Sign a message and bring it; its id. To bring it again changes nothing."""
        return str(self.bring(self.envelope(contract, message))["id"])

    def bring(self, envelope: Envelope) -> dict[str, Any]:
        """Bring a message that is signed; its state."""
        return self.bring_record(envelope.model_dump())

    def bring_record(self, envelope: Mapping[str, Any]) -> dict[str, Any]:
        """The same of an envelope as it was written down."""
        found: dict[str, Any] = self._ask("POST", "/v1/messages", json=envelope)
        return found

    def bring_all(self, envelopes: Iterable[Envelope]) -> list[dict[str, Any]]:
        """Bring many at once; for each its status, or the problem with it."""
        body = "\n".join(envelope.model_dump_json() for envelope in envelopes)
        headers = {"Content-Type": "application/x-ndjson"}
        found: list[dict[str, Any]] = self._ask("POST", "/v1/messages:batch", data=body, headers=headers)
        return found

    def deliver(self, name: str, content: bytes, timezone: str | None = None) -> dict[str, Any]:
        """Bring a metering operator's file; what of it was new. timezone: of times in it without offset."""
        asked = {"name": name} | ({"timezone": timezone} if timezone else {})
        headers = {"Content-Type": "application/octet-stream"}
        found: dict[str, Any] = self._ask("POST", "/v1/deliveries", params=asked, data=content, headers=headers)
        return found

    def refuse_payout(self, id_: str, why: str) -> None:
        """As the treasurer: tell why a withdrawal to a bank cannot be paid out."""
        self._ask("POST", f"/v1/payouts/{id_}:refuse", json={"why": why})

    def status(self, id_: str) -> dict[str, Any]:
        """What has become of a message of one's own."""
        if not self._token:
            self.log_in()
        found: dict[str, Any] = self.get(f"/v1/messages/{id_}")
        return found

    def wait(self, id_: str, seconds: float = 60, until: tuple[str, ...] = _DONE) -> dict[str, Any]:
        """Wait until a message has one of these states.

        Raises:
            RequestError: it has none after so many seconds.
        """
        end = time.monotonic() + seconds
        while (status := self.status(id_))["state"] not in until:
            if time.monotonic() > end:
                raise RequestError(0, "StillWaiting", f"{id_} is {status['state']} after {seconds:g} s")
            time.sleep(0.2)
        return status

    def events(self, after: int | None = None) -> Iterator[Event]:
        """What happens, from an event on that one had; connections that end are made anew, and nothing is missed."""
        while True:
            try:
                for event in self._stream(after):
                    after = event.number
                    yield event
            except requests.RequestException:
                pass
            time.sleep(1)

    def _stream(self, after: int | None) -> Iterator[Event]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        with self._session.get(f"{self._url}/v1/events", headers=headers, stream=True, timeout=60) as answer:
            if answer.status_code != 200:
                raise RequestError(answer.status_code, "Refused", answer.text[:200])
            parts: dict[str, str] = {}
            for line in answer.iter_lines(decode_unicode=True):
                name, _, value = line.partition(": ")
                if line:
                    parts[name] = value
                elif "data" in parts:
                    yield Event(int(parts["id"]), parts["event"], json.loads(parts["data"]))
                    parts = {}
