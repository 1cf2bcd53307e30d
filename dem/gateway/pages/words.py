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
    "bought and sold by contract, net": N_("By contract, bought less sold"),
    "supply and surplus beyond contracts, net": N_("Beyond contracts, supplied less given back"),
    "fees on what was bought and sold": N_("Fees of platform and network"),
    "charge for contracts not kept beyond the tolerance": N_("Charge for contracts not kept"),
    "penalty of the upper market": N_("Penalty of the wholesale market"),
    "penalties of the upper market": N_("Penalties of the wholesale market"),
    "VAT on purchases, fees and levies": N_("VAT on purchases, fees and levies"),
    "premium": N_("Premium for energy given back when it was short"),
    "reward": N_("Reward for contracts kept"),
    "commission": N_("Commission"),
    "escrow": N_("Trade in escrow"),
    "taken back": N_("Taken back, as the supplier was short"),
    "made good": N_("Made good, as the supplier was short"),
    "restored": N_("Restored"),
    "late reconciliation": N_("Late reconciliation"),
    "true-up": N_("True-up by the meter's registers"),
    "beyond limits": N_("Energy beyond the network's limits"),
    "limits made good": N_("Made good, as the network's limits were lowered"),
    "relief": N_("Relief sold to the network"),
    "relief not delivered": N_("Relief sold and not delivered"),
    "premium of a source": N_("Premium of a source that was chosen"),
}
"""Lines of bills, as the package calls them and as people read them."""
MARKETS: Sequence[str] = (N_("call auction"), N_("wholesale"), N_("intraday"), N_("bilateral"), N_("pool"))
"""In which energy was bought and sold."""
PROPOSED: Mapping[str, str] = {
    "ParticipantRegistry.admit": N_("Admit a member"),
    "ParticipantRegistry.reject": N_("Reject an application"),
    "ParticipantRegistry.suspend": N_("Suspend a member"),
    "ParticipantRegistry.reinstate": N_("Let a suspended member trade again"),
    "ParticipantRegistry.exit": N_("Let a member leave"),
    "ParticipantRegistry.replaceMeter": N_("Replace a member's meter"),
    "Replacements.announce": N_("Announce a new key for a member"),
    "Replacements.allow": N_("Let a member go on with a new key"),
    "Accounts.setCreditLimit": N_("Change a credit limit"),
    "Accounts.keepPaused": N_("Keep deposits paused"),
    "Accounts.unpause": N_("End a pause"),
    "MarketRules.announce": N_("Change the rules of the market"),
    "LateReconciliation.allow": N_("Allow a late statement"),
    "Schedule.addMarket": N_("Add a market"),
    "Schedule.retireMarket": N_("Retire a market"),
    "Schedule.releaseHeld": N_("Release what a market holds"),
    "WholesaleDesk.appoint": N_("Appoint a wholesale desk"),
    "Council.takePause": N_("Take away the right to pause"),
    "Council.seat": N_("Give somebody a seat on the council"),
    "Council.unseat": N_("Take somebody's seat on the council"),
    "Council.setThreshold": N_("Change how many seats decide"),
    "Authority.grantRole": N_("Give a role"),
    "Authority.revokeRole": N_("Take a role away"),
}
"""What the council is asked for, by function."""
OTHERS: Sequence[str] = (
    *(N_("OrderSheet"), N_("ReadingSheet"), N_("Withdrawal"), N_("Application"), N_("orders"), N_("readings")),
    *(N_("Ballot"), N_("Opening"), N_("Nomination"), N_("Mandate"), N_("ReliefOffer")),
    *(N_("Proposal"), N_("Acceptance"), N_("Revocation"), N_("Ending")),
    *(N_("CoinTransfer"), N_("EscrowTrade"), N_("EscrowRelease")),
    *(N_("from bank"), N_("from wallet"), N_("to bank"), N_("to wallet")),
    *(N_("consumer"), N_("prosumer"), N_("grid_operator"), N_("operator"), N_("registrar"), N_("grid")),
    *(
        N_("metering"),
        N_("treasurer"),
        N_("council"),
        N_("auditor"),
        N_("member"),
        N_("energy"),
        N_("settlements"),
        N_("transfers"),
    ),
    *(N_("overload"), N_("voltage too high"), N_("voltage too low"), N_("no power flow exists")),
    *(N_("feed-in"), N_("demand"), N_("network")),
    *(N_("members"), N_("message"), N_("deliveries"), N_("operations"), N_("audit"), N_("bills"), N_("access")),
    *(N_("intermediary"), N_("coins"), N_("escrows")),
)
"""Kinds, roles and resources, as tables have them."""
