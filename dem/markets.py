"""Which mechanisms a run uses, and the set-ups under which `ape run compare` plays one day."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class Markets(BaseModel):
    """The mechanisms of a run. Without any, everybody is supplied, and bought from, at the fallback tariffs.

    call_auction: the day-ahead auction. intraday: the continuous auction after it. bilateral: contracts between two.
    pools: auctions of intermediaries among their clients. wholesale: the residual goes to the wholesale desk.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    call_auction: bool = True
    intraday: bool = False
    bilateral: bool = False
    pools: bool = False
    wholesale: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Those used."""
        return tuple(name for name in type(self).model_fields if getattr(self, name))


def _only(*names: str) -> Markets:
    return Markets(**{name: name in names for name in Markets.model_fields})


SETUPS: Mapping[str, Markets] = {
    "fallback only": _only(),
    "bilateral only": _only("bilateral"),
    "pool": _only("pools"),
    "call auction": _only("call_auction"),
    "call auction + intraday": _only("call_auction", "intraday"),
    "all": _only(*Markets.model_fields),
}
"""Set-ups by name, from the fewest mechanisms to all of them."""
