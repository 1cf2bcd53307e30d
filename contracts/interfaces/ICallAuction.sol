// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {UniformPrice} from "../libraries/UniformPrice.sol";
import {IBrokeredMarket} from "./IBrokeredMarket.sol";
import {IOrderSheets} from "./IOrderSheets.sol";

/// @title Day-ahead call auction
/// @notice Order book and uniform-price double auction for every period of a day (rule 5).
interface ICallAuction is IBrokeredMarket, IOrderSheets {
    /// One slot of the auction is cleared.
    /// @param price clearing price, ticks from the lowest price on; 0 if nothing is traded.
    /// @param volume energy traded, Wh; 0: nothing is traded, and all others are 0 as well.
    /// @param rationed side whose orders at the price get less than they ask for (UniformPrice.sol).
    /// @param share what those orders get together, Wh; 0 if no side is rationed.
    /// @param marginal what those orders ask for, Wh; 0 if no side is rationed.
    event Cleared(
        uint32 indexed day,
        uint16 indexed slot,
        uint16 price,
        uint64 volume,
        UniformPrice.Rationed rationed,
        uint64 share,
        uint64 marginal
    );

    /// A strip's clearing did not fit one transaction. The same call goes on where this one ended.
    /// @param group group of 240 members that is added up next.
    /// @param layer its next layer, counted through the members' own layers and then the brokered ones.
    event ClearingProgress(uint32 indexed day, uint8 indexed strip, uint256 group, uint256 layer);

    /// The day has fewer strips.
    /// @param strips strips of a day.
    error NoSuchStrip(uint256 strip, uint256 strips);

    /// The strip is cleared.
    error AlreadyCleared(uint256 day, uint256 strip);

    /// The pivot is not the lowest equilibrium price of this slot.
    /// @param pivot price given as such, ticks from the lowest price on.
    error WrongPivot(uint256 slot, uint256 pivot);

    /// The call is to add up no group at all.
    error NothingToDo();
    /// Not all strips of the day are cleared, or the day's records have made room for another day.
    error NotCleared(uint256 day);

    /// @notice Clears one strip, or goes on clearing it, in at most `maxGroups` steps: a layer of a group of 240 members
    /// each. Anyone may call.
    /// @param pivots per lane the lowest equilibrium price in ticks (0 if there are no bids), computed from the book;
    /// verified.
    function clear(uint32 day, uint8 strip, uint16[6] calldata pivots, uint256 maxGroups) external;

    /// @return one bit per strip of the day that is cleared.
    function clearedStrips(uint256 day) external view returns (uint256);

    /// @return outcomes of `count` slots from `firstSlot` on, as UniformPrice packs them; 0 where nothing is traded or
    /// cleared.
    function outcomesIn(uint256 day, uint256 firstSlot, uint256 count) external view returns (uint256[] memory);

    /// @return layers orders per period of whoever has most, own and brokered added up.
    /// @return highestId number of the last member with orders.
    function bookOf(uint256 day) external view returns (uint256 layers, uint256 highestId);

    /// @return own orders per period of whoever has most in a group of 240 members, and
    /// @return brokered the same of what intermediaries order for them.
    function layersIn(uint256 day, uint256 group) external view returns (uint256 own, uint256 brokered);

    /// @param line number as in a sheet.
    /// @return one line of all members of a group, members 240 * group to 240 * group + 239, who have it.
    function linesIn(uint256 day, uint256 line, uint256 group) external view returns (uint256[] memory);

    /// @notice As `sheetOf`, of the sheets its intermediary signed.
    function brokeredSheetOf(uint32 id, uint256 day)
        external
        view
        returns (uint256 sequence, uint256 layers, uint256 locked);
}
