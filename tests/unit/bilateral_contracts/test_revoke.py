from support.contracts import Contracts
from support.refusals import refused
from support.village import Member, Village, events

from dem.signing import message_hash


def test_takes_a_proposal_back(contracts: Contracts, buyer: Member) -> None:
    proposal = contracts.offer()
    receipt = contracts.revoke(proposal)
    assert events(receipt, contracts.contract, "Revoked") == [
        {"proposal": message_hash(proposal), "proposer": buyer.account}
    ]
    with refused("ProposalUsed", proposal=message_hash(proposal), account=buyer.account):
        contracts.conclude(proposal)


def test_takes_back_the_answers_with_it(contracts: Contracts, buyer: Member, seller: Member) -> None:
    opened = message_hash(contracts.offer())
    answer = contracts.offer(proposer=seller.account, counterparty=buyer.account, is_sale=True, answers=opened)
    contracts.revoke(contracts.offer())
    with refused("ProposalUsed", proposal=opened, account=buyer.account):
        contracts.conclude(answer, seller, buyer)


def test_goes_on_while_paused(village: Village, contracts: Contracts, buyer: Member) -> None:
    village.send("node", village.market.accounts, "pause", contracts.contract.address)
    contracts.revoke(contracts.offer())
    assert contracts.functions.isUsed(message_hash(contracts.offer()), buyer.account).call()


def test_reverts_when_signed_by_somebody_else(contracts: Contracts, buyer: Member, seller: Member) -> None:
    with refused("NotSignedBy", account=buyer.account, signer=seller.account):
        contracts.revoke(contracts.offer(), seller)


def test_reverts_when_concluded(contracts: Contracts, concluded: None, buyer: Member) -> None:
    with refused("ProposalUsed", proposal=message_hash(contracts.offer()), account=buyer.account):
        contracts.revoke(contracts.offer())
