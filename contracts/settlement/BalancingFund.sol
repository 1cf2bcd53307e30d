// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAccounts, Posting} from "../interfaces/IAccounts.sol";
import {IBalancingFund} from "../interfaces/IBalancingFund.sol";
import {IMarketRules, Rules} from "../interfaces/IMarketRules.sol";
import {ISettlement, SettledDay} from "../interfaces/ISettlement.sol";
import {DayTerms} from "../libraries/DayTerms.sol";
import {BALANCING_FUND} from "../types/Members.sol";
import {Ring} from "../types/Ring.sol";
import {Price} from "../types/Units.sol";

/// @title Balancing fund
contract BalancingFund is IBalancingFund {
    using SafeCast for int256;
    using SafeCast for uint256;

    uint256 private constant WHOLE_SHARE = 10_000;

    /// The day that is being paid, or was paid last.
    struct DayState {
        uint16 day;
        uint32 nextId;
        bool isPaid;
        /// What its premiums and rewards have, money units.
        uint96 premiums;
        uint96 rewards;
    }

    IMarketRules private immutable RULES;
    IAccounts private immutable ACCOUNTS;
    ISettlement private immutable SETTLEMENT;

    DayState private _state;

    constructor(IMarketRules rules, IAccounts accounts, ISettlement settlement) {
        RULES = rules;
        ACCOUNTS = accounts;
        SETTLEMENT = settlement;
        _state.isPaid = true;
    }

    /// @inheritdoc IBalancingFund
    function pay(uint32 day, uint256 count) external {
        if (count == 0) revert NoMembersToPay();
        if (day > RULES.lastFinalDay()) revert NotFinal(day, RULES.lastFinalDay());
        DayState memory state = _state;
        if (day < state.day || (day == state.day && state.isPaid)) revert ClaimsPaid(day);
        SettledDay memory settled = SETTLEMENT.dayOf(day);
        if (settled.members == 0) revert ClaimsLapsed(day);
        Rules memory rules = RULES.rulesOf(day);
        if (day != state.day) state = _open(day, settled, rules);

        uint256 left = uint256(settled.members) + 1 - state.nextId;
        bool isEmpty = state.premiums == 0 && state.rewards == 0;
        if (isEmpty || count > left) count = left;
        state.isPaid = count == left;
        uint32 firstId = state.nextId;
        state.nextId = firstId + uint32(count);
        _state = state;
        if (!isEmpty) _payMembers(firstId, count, state, settled);
        if (state.isPaid) emit DayPaid(day);
    }

    /// @inheritdoc IBalancingFund
    function nextDay() public view returns (uint32 day) {
        day = _state.isPaid ? _state.day + 1 : _state.day;
        uint32 lastFinal = RULES.lastFinalDay();
        // Older days have given their place to one that is final itself.
        if (day + Ring.DAYS <= lastFinal) day = uint32(lastFinal - Ring.DAYS + 1);
        while (day <= lastFinal && SETTLEMENT.dayOf(day).members == 0) ++day;
    }

    /// @inheritdoc IBalancingFund
    function nextMember() external view returns (uint32) {
        return _state.isPaid ? 1 : _state.nextId;
    }

    function _open(uint32 day, SettledDay memory settled, Rules memory rules) private returns (DayState memory state) {
        uint32 expected = nextDay();
        if (day != expected) revert PaidOutOfOrder(day, expected);
        uint256 available = _available();
        uint256 claimed = uint256(settled.flexible) * Price.unwrap(rules.premiumRate);
        uint256 premiums = claimed < available ? claimed : available;
        uint256 rewards = 0;
        if (settled.kept > 0 && settled.fund > int256(premiums)) {
            rewards = ((uint256(settled.fund) - premiums) * rules.rewardShare) / WHOLE_SHARE;
            if (rewards > available - premiums) rewards = available - premiums;
            // No Wh brings more than the two sides of a trade pay in fees, so no trade is made for the reward.
            uint256 most = 2 * DayTerms.fees(rules) * settled.kept;
            if (rewards > most) rewards = most;
        }
        state = DayState(uint16(day), 1, false, premiums.toUint96(), rewards.toUint96());
        emit DayOpened(day, settled.fund, claimed, premiums, rewards);
    }

    /// @return what the fund has from final days, money units: a correction may take back what others have brought.
    function _available() private view returns (uint256) {
        // slither-disable-next-line unused-return
        (int256 free,) = ACCOUNTS.fundsOf(BALANCING_FUND);
        uint256 day = RULES.lastFinalDay();
        for (uint256 i = 0; i < Ring.DAYS; ++i) {
            free -= SETTLEMENT.dayOf(++day).fund;
        }
        return free > 0 ? uint256(free) : 0;
    }

    function _payMembers(uint32 firstId, uint256 count, DayState memory state, SettledDay memory settled) private {
        (uint256[] memory flexible, uint256[] memory kept) = SETTLEMENT.claimsOf(state.day, firstId, count);
        Posting[] memory postings = new Posting[](count + 1);
        uint256 total = 0;
        uint256 n = 1;
        for (uint256 i = 0; i < count; ++i) {
            uint256 premium = _partDown(state.premiums, flexible[i], settled.flexible);
            uint256 reward = _partDown(state.rewards, kept[i], settled.kept);
            uint256 units = premium + reward;
            if (units == 0) continue;
            uint32 id = firstId + uint32(i);
            postings[n++] = Posting(id, units.toInt256().toInt128(), 0);
            total += units;
            emit Rewarded(id, state.day, premium, reward);
        }
        if (total == 0) return;
        postings[0] = Posting(BALANCING_FUND, -total.toInt256().toInt128(), 0);
        assembly ("memory-safe") {
            mstore(postings, n)
        }
        ACCOUNTS.post(postings);
    }

    /// @return a member's part of a pot, money units; what is lost by rounding down stays with the fund.
    function _partDown(uint256 pot, uint256 claim, uint256 all) private pure returns (uint256) {
        return claim == 0 ? 0 : (pot * claim) / all;
    }
}
