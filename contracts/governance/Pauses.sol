// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Calendar} from "../types/Calendar.sol";

/// @title Pauses
/// @notice For how long the orders of a market are stopped, and how often by the same node (rule 13.4): a node's pause is
/// over before any gate comes near, so that nobody has the last word by it. Computed from the clock alone.
abstract contract Pauses is AccessManaged, Calendar {
    /// As long as the longest delay that the council can give itself.
    uint256 private constant INTERVAL = 30 days;

    mapping(address node => mapping(address market => uint256)) private _againAt;

    /// The node paused this market not long ago; another node may.
    /// @param node address of the node.
    /// @param againAt unix time from which it may again.
    error PausedLately(address node, uint256 againAt);

    /// In the second half of the time in which an auction is open no node pauses.
    /// @param gate unix time of the gate that is near; from then on it may.
    error GateTooNear(uint256 gate);

    /// The council pauses until a time to come, before the year 36,812.
    /// @param until unix time that was given.
    /// @param latest the latest it may be.
    error PauseOutOfRange(uint256 until, uint256 latest);

    /// Counts the caller's pause of a market.
    /// @return unix time at which it lapses: with the first half of the time in which the next gate's auction is open.
    function _pauseOfNode(address market) internal returns (uint64) {
        // The authority passes calls on in its own name: a node would pause a second time through it.
        if (msg.sender == authority()) revert AccessManagedUnauthorized(msg.sender);
        uint256 againAt = _mayPauseFrom(market);
        if (block.timestamp < againAt) revert PausedLately(msg.sender, againAt);
        _againAt[msg.sender][market] = block.timestamp + INTERVAL;
        uint256 gate = gateClosesAt(dayAt(block.timestamp + GATE_LEAD) + 1);
        uint256 open = OPEN_LEAD - GATE_LEAD;
        // Of auctions that are open for days, the last day counts: there is time for a pause every day.
        if (open > DAY_LENGTH) open = DAY_LENGTH;
        uint256 until = gate - open / 2;
        if (block.timestamp >= until) revert GateTooNear(gate);
        return uint64(until);
    }

    /// @return unix time from which the caller may pause a market again; 0 if it never did.
    function _mayPauseFrom(address market) internal view returns (uint256) {
        return _againAt[msg.sender][market];
    }

    /// @return what was given, if it is a time until which the council may pause.
    function _pauseOfCouncil(uint64 until) internal view returns (uint64) {
        // Where books keep it, it has 40 bits.
        uint256 latest = type(uint40).max;
        if (until <= block.timestamp || until > latest) revert PauseOutOfRange(until, latest);
        return until;
    }
}
