import pytest
from support.contracts import LATER, Contracts
from support.refusals import refused
from support.village import NOBODY, Member, Village, events

from dem.messages.contracts import Acceptance, Ending
from dem.messages.signing import message_hash


def test_takes_a_proposal_back(contracts: Contracts, buyer: Member) -> None:
    proposal = contracts.offer()
    receipt = contracts.revoke(proposal)
    assert events(receipt, contracts.contract, "Revoked") == [
        {"message": message_hash(proposal), "account": buyer.account}
    ]
    with refused("ProposalUsed", proposal=message_hash(proposal), account=buyer.account):
        contracts.conclude(proposal)


def test_takes_back_the_answers_with_it(contracts: Contracts, buyer: Member, seller: Member) -> None:
    opened = message_hash(contracts.offer())
    answer = contracts.offer(proposer=seller.account, counterparty=buyer.account, is_sale=True, answers=opened)
    contracts.revoke(contracts.offer())
    with refused("ProposalUsed", proposal=opened, account=buyer.account):
        contracts.conclude(answer, seller, buyer)


def test_takes_an_acceptance_back(contracts: Contracts, seller: Member, rival: Member) -> None:
    """The proposer cannot wait and see; the accepter may accept anew, and so may others."""
    proposal = contracts.offer(counterparty=NOBODY)
    acceptance = Acceptance(message_hash(proposal), LATER)
    contracts.revoke(acceptance, seller)
    with refused("ConsentRevoked", message=message_hash(acceptance), account=seller.account):
        contracts.conclude(proposal)
    contracts.conclude(proposal, accepter=rival)


@pytest.mark.parametrize("side", ["buyer", "seller"])
def test_takes_the_consent_to_an_ending_back(
    village: Village, contracts: Contracts, concluded: None, side: str
) -> None:
    member, message = getattr(village, side), Ending(1, 2, LATER)
    contracts.revoke(message, member)
    with refused("ConsentRevoked", message=message_hash(message), account=member.account):
        contracts.end(message)
    contracts.end(Ending(1, 2, LATER - 1))


def test_goes_on_while_paused(village: Village, contracts: Contracts, buyer: Member) -> None:
    village.send("node", village.market.accounts, "pause", contracts.contract.address)
    contracts.revoke(contracts.offer())
    assert contracts.functions.isUsed(message_hash(contracts.offer()), buyer.account).call()


def test_reverts_when_signed_by_somebody_else(contracts: Contracts, buyer: Member, seller: Member) -> None:
    with refused("NotSignedBy", account=buyer.account, signer=seller.account):
        contracts.revoke(contracts.offer(), seller, buyer)


def test_reverts_when_concluded(contracts: Contracts, concluded: None, buyer: Member) -> None:
    with refused("ProposalUsed", proposal=message_hash(contracts.offer()), account=buyer.account):
        contracts.revoke(contracts.offer())
