"""Words that come from elsewhere in the package, in English, and are shown to people: here catalogues find them."""

from collections.abc import Mapping, Sequence


def N_(word: str) -> str:  # noqa: N802 - what the tools of gettext look for
    """A word that is translated where it is shown."""
    return word


LINES: Mapping[str, str] = {
    "bought": N_("Bought by contract"),
    "sold": N_("Sold by contract"),
    "ordinary supply, without a contract": N_("Supplied without a contract"),
    "ordinary surplus, without a contract": N_("Surplus without a contract"),
    "bought and not drawn, sold back as imbalance": N_("Bought and not drawn, given back"),
    "sold and not fed in, bought back as imbalance": N_("Sold and not fed in, bought back"),
    "fees on what was bought and sold": N_("Fees of platform and network"),
    "charge for contracts not kept beyond the tolerance": N_("Charge for contracts not kept"),
    "penalty of the upper market": N_("Penalty of the wholesale market"),
    "penalties of the upper market": N_("Penalties of the wholesale market"),
    "VAT on purchases, fees and levies": N_("VAT on purchases, fees and levies"),
    "premium": N_("Premium for energy given back when it was short"),
    "reward": N_("Reward for contracts kept"),
    "commission": N_("Commission"),
    "taken back": N_("Taken back, as the supplier was short"),
    "made good": N_("Made good, as the supplier was short"),
    "restored": N_("Restored"),
    "late reconciliation": N_("Late reconciliation"),
    "true-up": N_("True-up by the meter's registers"),
}
"""Lines of bills, as the package calls them and as people read them."""
MARKETS: Sequence[str] = (N_("call auction"), N_("wholesale"), N_("intraday"), N_("bilateral"), N_("pool"))
"""In which energy was bought and sold."""
