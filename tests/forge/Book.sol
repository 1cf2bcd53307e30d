// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ProRata} from "../../contracts/libraries/ProRata.sol";
import {UniformPrice} from "../../contracts/libraries/UniformPrice.sol";
import {Orders} from "../../contracts/types/Orders.sol";
import {MAX_TICK} from "../../contracts/types/Units.sol";

/// The rules' words over the orders of one period, each a sum over the whole book: slow and plain.
library Book {
    function encode(bool isAsk, uint256 tick, uint256 energy) internal pure returns (uint256) {
        return ((isAsk ? uint256(1) : 0) << Orders.SIDE_SHIFT) | (tick << Orders.TICK_SHIFT) | energy;
    }

    /// @return energy of the side's orders with a limit from `lo` to `hi`, Wh.
    function within(uint256[] memory book, bool asks, uint256 lo, uint256 hi) internal pure returns (uint256 energy) {
        for (uint256 i = 0; i < book.length; ++i) {
            uint256 tick = Orders.tick(book[i]);
            if (Orders.isAsk(book[i]) == asks && tick >= lo && tick <= hi) energy += Orders.energy(book[i]);
        }
    }

    /// D(>=t)
    function demand(uint256[] memory book, uint256 t) internal pure returns (uint256) {
        return within(book, false, t, MAX_TICK);
    }

    /// D(>t)
    function demandAbove(uint256[] memory book, uint256 t) internal pure returns (uint256) {
        return within(book, false, t + 1, MAX_TICK);
    }

    /// A(<=t)
    function supply(uint256[] memory book, uint256 t) internal pure returns (uint256) {
        return within(book, true, 0, t);
    }

    /// A(<t)
    function supplyBelow(uint256[] memory book, uint256 t) internal pure returns (uint256) {
        return t == 0 ? 0 : within(book, true, 0, t - 1);
    }

    /// What a clearing adds up around a pivot.
    function sums(uint256[] memory book, uint256 pivot) internal pure returns (UniformPrice.Sums memory s) {
        s.bidsAbove = demandAbove(book, pivot);
        s.bidsAt = within(book, false, pivot, pivot);
        s.asksBelow = supplyBelow(book, pivot);
        s.asksAt = within(book, true, pivot, pivot);
        s.nextTick = MAX_TICK;
        for (uint256 i = 0; i < book.length; ++i) {
            uint256 tick = Orders.tick(book[i]);
            if (tick > pivot && tick < s.nextTick) s.nextTick = tick;
        }
    }

    /// @return energies each order trades, Wh; the book is in the order in which marginal orders are walked.
    function fills(uint256[] memory book, UniformPrice.Outcome memory o)
        internal
        pure
        returns (uint256[] memory energies)
    {
        energies = new uint256[](book.length);
        if (o.volume == 0) return energies;
        uint256 walked = 0;
        for (uint256 i = 0; i < book.length; ++i) {
            uint256 energy = Orders.energy(book[i]);
            uint256 tick = Orders.tick(book[i]);
            bool isAsk = Orders.isAsk(book[i]);
            bool isRationed = o.rationed == (isAsk ? UniformPrice.Rationed.Asks : UniformPrice.Rationed.Bids);
            if (tick == o.price && isRationed) {
                energies[i] = ProRata.fillDown(walked, energy, o.share, o.marginal);
                walked += energy;
            } else if (isAsk ? tick <= o.price : tick >= o.price) {
                energies[i] = energy;
            }
        }
    }
}
