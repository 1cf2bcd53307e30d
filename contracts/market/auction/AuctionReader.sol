// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICallAuction} from "../../interfaces/ICallAuction.sol";
import {Fill, IAuctionReader} from "../../interfaces/IAuctionReader.sol";
import {UniformPrice} from "../../libraries/UniformPrice.sol";
import {Orders} from "../../types/Orders.sol";
import {Strips} from "../../types/Strips.sol";

/// @title Reader of a call auction
contract AuctionReader is IAuctionReader {
    ICallAuction private immutable AUCTION;
    uint256 private immutable STRIPS_PER_DAY;

    constructor(ICallAuction auction, uint256 periodsPerDay) {
        AUCTION = auction;
        STRIPS_PER_DAY = periodsPerDay / Strips.LANES;
    }

    /// @inheritdoc IAuctionReader
    function outcomes(uint256 day) external view returns (UniformPrice.Outcome[] memory results) {
        if (!AUCTION.isCleared(day)) revert ICallAuction.NotCleared(day);
        uint256[] memory packed = AUCTION.outcomesIn(day, 0, STRIPS_PER_DAY * Strips.LANES);
        results = new UniformPrice.Outcome[](packed.length);
        for (uint256 slot = 0; slot < packed.length; ++slot) {
            results[slot] = UniformPrice.unpack(packed[slot]);
        }
    }

    /// @inheritdoc IAuctionReader
    function lineOf(uint32 id, uint256 day, uint256 line) external view returns (bytes32) {
        uint256[] memory lines = AUCTION.linesOf(day, id, 1)[0];
        // Neither sequence nor collateral matter to lines.
        // slither-disable-next-line unused-return
        (, uint256 own,) = AUCTION.sheetOf(id, day);
        uint256 layer = line / STRIPS_PER_DAY;
        if (layer >= Orders.BROKERED_LAYER) line -= (Orders.BROKERED_LAYER - own) * STRIPS_PER_DAY;
        else if (layer >= own) return bytes32(0);
        return line < lines.length ? bytes32(lines[line]) : bytes32(0);
    }

    /// @inheritdoc IAuctionReader
    function fills(uint256 day, uint256 slot, uint32 firstId, uint256 count, uint256 walked)
        external
        view
        returns (Fill[] memory found, uint256 walkedAfter)
    {
        if (AUCTION.clearedStrips(day) & (1 << (slot / Strips.LANES)) == 0) revert SlotNotCleared(day, slot);
        uint256 outcome = AUCTION.outcomesIn(day, slot, 1)[0];
        uint256[][] memory lines = AUCTION.linesOf(day, firstId, count);
        found = new Fill[](_countOrders(lines, slot));
        uint256 n = 0;
        for (uint256 i = 0; i < count; ++i) {
            uint32 id = firstId + uint32(i);
            // Neither sequence nor collateral matter to fills.
            // slither-disable-next-line unused-return
            (, uint256 own,) = AUCTION.sheetOf(id, day);
            for (uint256 row = 0; row < lines[i].length / STRIPS_PER_DAY; ++row) {
                uint256 order = _orderIn(lines[i], row, slot);
                if (order == 0) continue;
                uint256 energy = 0;
                (energy, walked) = _fill(order, outcome, walked);
                // A member's own layers come first, then the brokered ones.
                uint256 layer = row < own ? row : Orders.BROKERED_LAYER + row - own;
                found[n++] = Fill(id, uint16(layer), uint64(energy));
            }
        }
        return (found, walked);
    }

    function _countOrders(uint256[][] memory lines, uint256 slot) private view returns (uint256 n) {
        for (uint256 i = 0; i < lines.length; ++i) {
            for (uint256 row = 0; row < lines[i].length / STRIPS_PER_DAY; ++row) {
                if (_orderIn(lines[i], row, slot) != 0) ++n;
            }
        }
    }

    function _orderIn(uint256[] memory lines, uint256 row, uint256 slot) private view returns (uint256) {
        return Strips.lane(lines[row * STRIPS_PER_DAY + slot / Strips.LANES], slot % Strips.LANES);
    }

    /// @return Wh of the order that trade.
    /// @return energy of the marginal orders up to it, Wh.
    function _fill(uint256 order, uint256 outcome, uint256 walked) private pure returns (uint256, uint256) {
        if (outcome == 0) return (0, walked);
        (uint256 energy, uint256 tick, bool isAsk) = (Orders.energy(order), Orders.tick(order), Orders.isAsk(order));
        uint256 price = UniformPrice.priceOf(outcome);
        if (tick != price) return ((tick < price) == isAsk ? energy : 0, walked);
        if (!UniformPrice.isRationed(outcome, isAsk)) return (energy, walked);
        return (UniformPrice.fillDown(outcome, walked, energy), walked + energy);
    }
}
