// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IParticipantRegistry, Member} from "../../interfaces/IParticipantRegistry.sol";
import {ITraders} from "../../interfaces/ITraders.sol";
import {Kind} from "../../types/Members.sol";

/// @title Members of an intermediary's pool
/// @notice Stands where the registry stands for the market (rule 9): the same call auction, deployed with these members, is the
/// pool. The intermediary trades there with orders of its own; its clients trade in the brokered layers only, ordered by
/// themselves or by the intermediary, within the share they have given it.
contract PoolMembers is ITraders {
    IParticipantRegistry private immutable REGISTRY;
    uint32 public immutable INTERMEDIARY;

    /// Only the intermediary whose pool it is has orders of its own here.
    error NotThePoolsOwn(address account);
    /// A pool belongs to an intermediary, which this member is not.
    error NotAnIntermediary(uint32 id);

    /// @param intermediary number of the member whose pool it is.
    constructor(IParticipantRegistry registry, uint32 intermediary) {
        Member memory m = registry.member(intermediary);
        if (m.kind != Kind.Intermediary) revert NotAnIntermediary(intermediary);
        REGISTRY = registry;
        INTERMEDIARY = intermediary;
    }

    /// @inheritdoc ITraders
    function requireTrader(address account, uint256 day) external view returns (uint32, uint256, uint256) {
        if (REGISTRY.idOf(account) != INTERMEDIARY) revert NotThePoolsOwn(account);
        return REGISTRY.requireTrader(account, day);
    }

    /// @inheritdoc ITraders
    function client(address participant, address signer, uint256 day) external view returns (uint32, uint256, uint256) {
        // A member's number stays when its account is replaced.
        address intermediary = REGISTRY.member(INTERMEDIARY).account;
        if (signer != participant && signer != intermediary) revert NotTheIntermediary(participant, signer, day);
        return REGISTRY.client(participant, intermediary, day);
    }
}
