// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {UniformPrice} from "../libraries/UniformPrice.sol";
import {IBrokeredMarket} from "./IBrokeredMarket.sol";

/// Orders of one participant for many periods of a day: one message, one signature (EIP-712).
struct OrderSheet {
    address participant;
    uint32 day;
    /// The lines follow each other from this one: line = layer * stripsPerDay + strip. Layers from 1,024 on (Orders.BROKERED_LAYER)
    /// are brokered: those of the participant's intermediary, who signs the sheet (rule 9).
    uint16 firstLine;
    /// Higher than that of the participant's sheet before for this day; brokered sheets have a sequence of their own.
    uint40 sequence;
    /// Six orders each, laid out as in Orders.sol and Strips.sol. They replace what stood in these lines: zero lanes cancel.
    bytes32[] lines;
}

struct SignedSheet {
    OrderSheet sheet;
    /// The signature in 64 bytes (EIP-2098): s in the lower 255 bits of vs, the parity of the point in its highest one.
    bytes32 r;
    bytes32 vs;
}

/// @title Day-ahead call auction
/// @notice Order book and uniform-price double auction for every period of a day (rule 5).
interface ICallAuction is IBrokeredMarket {
    event SheetAccepted(uint32 indexed id, uint32 indexed day, uint40 sequence, uint16 firstLine, bytes32[] lines);
    /// A sheet brought in a batch was refused as a whole; `reason` is the error, ABI encoded.
    event SheetRejected(address indexed participant, uint32 indexed day, uint40 sequence, bytes reason);
    event Cleared(
        uint32 indexed day,
        uint16 indexed slot,
        uint16 price,
        uint64 volume,
        UniformPrice.Rationed rationed,
        uint64 share,
        uint64 marginal
    );
    event ClearingProgress(uint32 indexed day, uint8 indexed strip, uint256 group, uint256 layer);

    error NotOpenYet(uint256 day, uint256 opensAt, uint256 time);
    error GateClosed(uint256 day, uint256 closedAt, uint256 time);
    error GateNotClosed(uint256 day, uint256 closesAt, uint256 time);
    error NotSignedByParticipant(address participant, address signer);
    error StaleSheet(uint32 id, uint256 sequence, uint256 last);
    error EmptySheet();
    /// The participant may use this many lines.
    error LineOutOfRange(uint256 line, uint256 lines);
    error WrongDay(uint256 line, uint256 day, uint256 expected);
    /// Unused bits of a lane are set, or the order is smaller than the market allows.
    error OrderTooSmall(uint256 line, uint256 lane, uint256 energy, uint256 minimum);
    /// The orders of a period together exceed the grid connection, Wh.
    error ExceedsCapacity(uint32 id, uint256 slot, uint256 asked, uint256 allowed);
    error NoSuchStrip(uint256 strip, uint256 strips);
    error AlreadyCleared(uint256 day, uint256 strip);
    /// The pivot is not the lowest equilibrium price of this slot.
    error WrongPivot(uint256 slot, uint256 pivot);
    error NothingToDo();
    error NotCleared(uint256 day);
    /// A batch ran out of gas; nothing of it counts.
    error BatchOutOfGas(uint256 index);

    /// @notice Takes a batch of sheets; each is accepted, or rejected with its reason on record, for itself.
    function submit(SignedSheet[] calldata sheets) external;

    /// @notice Takes one sheet, whoever brings it, or reverts with the reason.
    function enter(SignedSheet calldata signed) external;

    /// @notice Takes a sheet of the caller's own, unsigned: the transaction says who it is from. As `enter` otherwise.
    function enterOwn(uint32 day, uint16 firstLine, uint40 sequence, bytes32[] calldata lines) external;

    /// @notice Clears one strip, or goes on clearing it, for at most `maxGroups` groups of 240 members. Anyone may call.
    /// @param pivots per lane the lowest equilibrium price in ticks (0 if there are no bids), computed from the book; verified.
    function clear(uint32 day, uint8 strip, uint16[6] calldata pivots, uint256 maxGroups) external;

    /// @return one bit per strip of the day that is cleared.
    function clearedStrips(uint256 day) external view returns (uint256);

    /// @return outcomes per slot of a cleared day.
    function outcomes(uint256 day) external view returns (UniformPrice.Outcome[] memory);

    /// @return outcomes of `count` slots from `firstSlot` on, as UniformPrice packs them; 0 where nothing is traded or cleared.
    function outcomesIn(uint256 day, uint256 firstSlot, uint256 count) external view returns (uint256[] memory);

    /// @return layers orders per period of whoever has most, own and brokered added up.
    /// @return highestId number of the last member with orders.
    function bookOf(uint256 day) external view returns (uint256 layers, uint256 highestId);

    /// @param line of the book: brokered layers follow the members' own ones without a gap.
    /// @return one line of all members of a group, members 240 * group to 240 * group + 239, who have it.
    function linesIn(uint256 day, uint256 line, uint256 group) external view returns (uint256[] memory);

    /// @return all lines of `count` members from `firstId` on, the brokered ones after their own, zero where there is none for that
    /// day; no lines at all for a member without orders.
    function linesOf(uint256 day, uint32 firstId, uint256 count) external view returns (uint256[][] memory);

    /// @return the line as it stands, zero if there is none for that day.
    function lineOf(uint32 id, uint256 day, uint256 line) external view returns (bytes32);

    /// @return sequence of the last sheet, orders per period in use and collateral locked for the day, money units.
    function sheetOf(uint32 id, uint256 day) external view returns (uint256 sequence, uint256 layers, uint256 locked);

    /// @notice The same of the sheets its intermediary signed.
    function brokeredSheetOf(uint32 id, uint256 day)
        external
        view
        returns (uint256 sequence, uint256 layers, uint256 locked);
}
