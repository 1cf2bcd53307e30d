"""Logins of institutions' software: OAuth2 client credentials (RFC 6749, 4.4)."""

import base64
import binascii
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote_plus

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
"""Of a client."""
_FORM = "application/x-www-form-urlencoded"
_KNOWN = ("grant_type", "client_id", "client_secret", "scope")


class Refusal(Exception):
    """Why there is no token, as RFC 6749 (5.2) has it."""

    def __init__(self, status: int, error: str, why: str) -> None:
        super().__init__(why)
        self.status, self.error, self.why = status, error, why


class Credentials(NamedTuple):
    """What a client shows."""

    name: str
    secret: str


def credentials(authorization: str, content_type: str, body: bytes) -> Credentials:
    """What a request for a token shows: in its header (Basic), or in its form.

    Raises:
        Refusal: the request is malformed, of another kind, or shows nothing.
    """
    form = _form(content_type, body)
    if "grant_type" not in form:
        raise Refusal(400, "invalid_request", "the form must have grant_type")
    if form["grant_type"] != "client_credentials":
        raise Refusal(400, "unsupported_grant_type", "grant_type must be client_credentials")
    in_form = "client_id" in form or "client_secret" in form
    if authorization:
        if "client_secret" in form:
            raise Refusal(400, "invalid_request", "show the secret in the header or in the form, not in both")
        found = _basic(authorization)
        if form.get("client_id", found.name) != found.name:
            raise Refusal(400, "invalid_request", "client_id is another one in the header than in the form")
    elif in_form:
        found = Credentials(form.get("client_id", ""), form.get("client_secret", ""))
    else:
        raise Refusal(
            401, "invalid_client", "show client_id and client_secret, by the header Authorization or the form"
        )
    if not NAME.fullmatch(found.name):
        raise Refusal(401, "invalid_client", "there is no client of that name and secret, or it has expired")
    return found


def _form(content_type: str, body: bytes) -> dict[str, str]:
    if content_type.partition(";")[0].strip().lower() != _FORM:
        raise Refusal(400, "invalid_request", f"the body must be {_FORM}")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=8)
    except ValueError:
        raise Refusal(400, "invalid_request", "the body is no form") from None
    names = [name for name, _ in pairs]
    if len({*names}) != len(names) or not {*names} <= {*_KNOWN}:
        raise Refusal(400, "invalid_request", f"the form has each of {', '.join(_KNOWN)} at most once, and no more")
    return dict(pairs)


def _basic(header: str) -> Credentials:
    scheme, _, text = header.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError
        name, divider, secret = base64.b64decode(text.strip(), validate=True).decode("utf-8").partition(":")
        if not divider:
            raise ValueError
    except (binascii.Error, ValueError):
        why = "the header Authorization must be Basic and base64 of client_id:client_secret"
        raise Refusal(401, "invalid_client", why) from None
    return Credentials(unquote_plus(name), unquote_plus(secret))
