"""What two sign alike, so that both signatures have one id: the first is kept, and both are brought together."""

from dem.errors import RequestError
from dem.gateway.parts import Parts
from dem.gateway.protocol import Checked
from dem.gateway.state import Record
from dem.messages.contracts import Ending


def countersigned(parts: Parts, checked: Checked, signature: str) -> Record:
    """What somebody has signed first, with the signature of another one who may.

    Raises:
        RequestError: it may not, or it is too late.
    """
    kept, sender = parts.store.joint(checked.id), checked.sender
    if kept is None or sender not in kept.seconds:
        # Who may not sign it does not learn that it is there.
        name = "NoSuchContract" if isinstance(checked.message, Ending) else "NoSuchTrade"
        raise RequestError(422, name, f"nothing waits for the signature of {sender}")
    if kept.consent is None and kept.expires <= parts.store.now():
        raise RequestError(422, "OfferExpired", f"what waits for a second signature stood until {kept.expires}")
    return parts.store.countersign(checked.id, signature)
