"""Logins by a signed text (EIP-4361): the reader shows that it has the key of an account, and gets a token."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.exceptions import BadSignature
from eth_utils.address import to_checksum_address

from dem.errors import RequestError
from dem.gateway.state import Store

NONCE_SECONDS = 300
_STATEMENT = "Read your data, and what your offices may see."
_TEXT = re.compile(
    r"(?P<domain>[^\s/?#]+) wants you to sign in with your Ethereum account:\n"
    r"(?P<account>0x[0-9a-fA-F]{40})\n\n"
    r"(?:(?P<statement>[^\n]+)\n)?\n"
    r"URI: (?P<uri>\S+)\nVersion: (?P<version>\d+)\nChain ID: (?P<chain>\d{1,20})\n"
    r"Nonce: (?P<nonce>[A-Za-z0-9]{8,64})\n"
    r"Issued At: (?P<issued>\S+)(?:\nExpiration Time: (?P<expires>\S+))?(?:\nNot Before: (?P<begins>\S+))?"
)


@dataclass(frozen=True, slots=True)
class Logins:
    """Of a gateway. domain, uri: what it is called by its users. seconds: how long a token is good."""

    store: Store
    domain: str
    uri: str
    chain_id: int
    seconds: int

    def text(self, account: str, now: datetime) -> str:
        """What an account has to sign."""
        nonce = self.store.nonce(NONCE_SECONDS)
        return (
            f"{self.domain} wants you to sign in with your Ethereum account:\n{to_checksum_address(account)}\n\n"
            f"{_STATEMENT}\n\nURI: {self.uri}\nVersion: 1\nChain ID: {self.chain_id}\nNonce: {nonce}\n"
            f"Issued At: {now:%Y-%m-%dT%H:%M:%SZ}"
        )

    def log_in(self, text: str, signature: str, now: datetime) -> tuple[str, str]:
        """The account that signed, and its token.

        Raises:
            RequestError: the text is not for this gateway, was used before or has expired, or somebody else signed it.
        """
        found = _TEXT.fullmatch(text)
        if not found:
            raise RequestError(422, "MalformedLogin", "the text is none of EIP-4361: sign the one that /v1/login gives")
        for name, wanted in (
            ("domain", self.domain),
            ("uri", self.uri),
            ("version", "1"),
            ("chain", str(self.chain_id)),
        ):
            if found[name] != wanted:
                raise RequestError(422, "LoginForOthers", f"the {name} of the text is {found[name]!r}, not {wanted!r}")
        account = found["account"]
        if account != to_checksum_address(account):
            raise RequestError(422, "MalformedLogin", "the account is not written with its checksum (EIP-55)")
        if not _is_now(found["begins"], found["issued"], found["expires"], now):
            raise RequestError(422, "LoginExpired", "the text is not good now: ask /v1/login for another one")
        try:
            signer = Account.recover_message(encode_defunct(text=text), signature=bytes.fromhex(signature[2:]))
        except (BadSignature, ValueError, TypeError) as error:
            raise RequestError(422, "BadSignature", "the signature recovers no key") from error
        if signer != account:
            raise RequestError(422, "NotSignedBySender", f"the signature is of {signer}, not of {account}")
        if not self.store.use_nonce(found["nonce"]):
            raise RequestError(422, "LoginExpired", "the text was used before, or is too old: ask for another one")
        return account, self.store.open(account, self.seconds)


def _is_now(begins: str | None, issued: str, expires: str | None, now: datetime) -> bool:
    try:
        first, last = (_time(text) if text else None for text in (begins or issued, expires))
    except ValueError:
        return False
    return first is not None and (first - now).total_seconds() < NONCE_SECONDS and (last is None or now < last)


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
