// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICallAuction} from "../interfaces/ICallAuction.sol";
import {Fill, IAuctionReader} from "../interfaces/IAuctionReader.sol";
import {ProRata} from "../libraries/ProRata.sol";
import {UniformPrice} from "../libraries/UniformPrice.sol";
import {Orders} from "../types/Orders.sol";
import {Strips} from "../types/Strips.sol";

/// @title Reader of a call auction
contract AuctionReader is IAuctionReader {
    ICallAuction private immutable AUCTION;
    uint256 private immutable STRIPS_PER_DAY;

    constructor(ICallAuction auction, uint256 periodsPerDay) {
        AUCTION = auction;
        STRIPS_PER_DAY = periodsPerDay / Strips.LANES;
    }

    /// @inheritdoc IAuctionReader
    function fills(uint256 day, uint256 slot, uint32 firstId, uint256 count, uint256 walked)
        external
        view
        returns (Fill[] memory found, uint256 walkedAfter)
    {
        if (AUCTION.clearedStrips(day) & (1 << (slot / Strips.LANES)) == 0) revert SlotNotCleared(day, slot);
        UniformPrice.Outcome memory outcome = UniformPrice.unpack(AUCTION.outcomesIn(day, slot, 1)[0]);
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
    function _fill(uint256 order, UniformPrice.Outcome memory o, uint256 walked)
        private
        pure
        returns (uint256, uint256)
    {
        if (o.volume == 0) return (0, walked);
        uint256 energy = Orders.energy(order);
        bool isAsk = Orders.isAsk(order);
        if (Orders.tick(order) != o.price) return ((Orders.tick(order) < o.price) == isAsk ? energy : 0, walked);
        if (o.rationed != (isAsk ? UniformPrice.Rationed.Asks : UniformPrice.Rationed.Bids)) return (energy, walked);
        return (ProRata.fillDown(walked, energy, o.share, o.marginal), walked + energy);
    }
}
