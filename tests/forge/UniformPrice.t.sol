// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {UniformPrice} from "../../contracts/libraries/UniformPrice.sol";
import {Orders} from "../../contracts/types/Orders.sol";
import {MAX_TICK} from "../../contracts/types/Units.sol";
import {Book} from "./Book.sol";
import {bound} from "./Vm.sol";

/// Rule 5 against its definitions, on books of a few ticks at the bottom, in the middle and at the top of the range.
contract UniformPriceTest {
    using Book for uint256[];

    uint256 private constant WIDTH = 9;

    /// The ticks at which anything can change: the ends, and the window with one tick to either side.
    function _candidates(uint256 base) private pure returns (uint256[] memory ticks) {
        ticks = new uint256[](WIDTH + 4);
        uint256 n = 0;
        if (base > 1) ticks[n++] = 0;
        uint256 first = base == 0 ? 0 : base - 1;
        for (uint256 t = first; t <= base + WIDTH && t <= MAX_TICK; ++t) {
            ticks[n++] = t;
        }
        if (ticks[n - 1] != MAX_TICK) ticks[n++] = MAX_TICK;
        assembly ("memory-safe") {
            mstore(ticks, n)
        }
    }

    /// Orders in a window of ticks from `base` on: few energies, so that sums meet.
    function _book(uint256[12] memory seeds, uint256 size, uint256 place)
        private
        pure
        returns (uint256[] memory book, uint256 base)
    {
        base = [0, 1, 2000, MAX_TICK + 1 - WIDTH][place % 4];
        book = new uint256[](size % 13);
        for (uint256 i = 0; i < book.length; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(seeds[i], i)));
            uint256 energy = seed & 7 == 0 ? Orders.ENERGY_MASK : (seed >> 8) % 5 + 1;
            book[i] = Book.encode((seed >> 16) & 1 == 1, base + (seed >> 32) % WIDTH, energy);
        }
    }

    function _lo(uint256[] memory book, uint256[] memory ticks) private pure returns (uint256) {
        for (uint256 i = 0; i < ticks.length; ++i) {
            if (book.supply(ticks[i]) >= book.demandAbove(ticks[i])) return ticks[i];
        }
        revert("no lo");
    }

    function _hi(uint256[] memory book, uint256[] memory ticks) private pure returns (uint256) {
        for (uint256 i = ticks.length; i > 0; --i) {
            if (book.demand(ticks[i - 1]) >= book.supplyBelow(ticks[i - 1])) return ticks[i - 1];
        }
        revert("no hi");
    }

    /// forge-config: default.fuzz.runs = 1000
    function test_exactly_one_pivot_passes(uint256[12] memory seeds, uint256 size, uint256 place, uint256 any)
        external
        pure
    {
        (uint256[] memory book, uint256 base) = _book(seeds, size, place);
        uint256[] memory ticks = _candidates(base);
        uint256 lo = _lo(book, ticks);
        for (uint256 i = 0; i < ticks.length; ++i) {
            require(UniformPrice.isPivot(ticks[i], book.sums(ticks[i])) == (ticks[i] == lo), "a pivot that is not lo");
        }
        any = bound(any, 0, MAX_TICK);
        require(UniformPrice.isPivot(any, book.sums(any)) == (any == lo), "any other pivot");
    }

    /// forge-config: default.fuzz.runs = 1000
    function test_outcome_is_that_of_the_definitions(uint256[12] memory seeds, uint256 size, uint256 place)
        external
        pure
    {
        (uint256[] memory book, uint256 base) = _book(seeds, size, place);
        uint256[] memory ticks = _candidates(base);
        uint256 lo = _lo(book, ticks);
        UniformPrice.Outcome memory o = UniformPrice.outcome(lo, book.sums(lo));

        uint256 price = (lo + _hi(book, ticks)) / 2;
        (uint256 demand, uint256 supply) = (book.demand(price), book.supply(price));
        uint256 volume = demand < supply ? demand : supply;
        require(o.volume == volume, "volume");
        require(o.price == (volume == 0 ? 0 : price), "price");
        for (uint256 i = 0; i < ticks.length; ++i) {
            (demand, supply) = (book.demand(ticks[i]), book.supply(ticks[i]));
            require(demand <= volume || supply <= volume, "another price reaches more");
        }
    }

    /// forge-config: default.fuzz.runs = 1000
    function test_what_is_rationed_fits_both_sides(uint256[12] memory seeds, uint256 size, uint256 place)
        external
        pure
    {
        (uint256[] memory book, uint256 base) = _book(seeds, size, place);
        uint256 lo = _lo(book, _candidates(base));
        UniformPrice.Outcome memory o = UniformPrice.outcome(lo, book.sums(lo));
        if (o.volume == 0) {
            require(o.rationed == UniformPrice.Rationed.None && o.share == 0 && o.marginal == 0, "rationed nothing");
            return;
        }
        (uint256 demand, uint256 supply) = (book.demand(o.price), book.supply(o.price));
        if (o.rationed == UniformPrice.Rationed.None) {
            require(o.share == 0 && o.marginal == 0, "share of nobody");
            require(demand == o.volume && supply == o.volume, "both sides in full");
        } else if (o.rationed == UniformPrice.Rationed.Bids) {
            require(supply == o.volume, "asks in full");
            require(o.marginal == book.within(false, o.price, o.price), "marginal bids");
            require(book.demandAbove(o.price) + o.share == o.volume, "bids sum to the volume");
            require(o.share < o.marginal, "less than asked for");
        } else {
            require(demand == o.volume, "bids in full");
            require(o.marginal == book.within(true, o.price, o.price), "marginal asks");
            require(book.supplyBelow(o.price) + o.share == o.volume, "asks sum to the volume");
            require(o.share < o.marginal, "less than offered");
        }
    }

    /// forge-config: default.fuzz.runs = 1000
    function test_fills_of_each_side_sum_to_the_volume(uint256[12] memory seeds, uint256 size, uint256 place)
        external
        pure
    {
        (uint256[] memory book, uint256 base) = _book(seeds, size, place);
        uint256 lo = _lo(book, _candidates(base));
        UniformPrice.Outcome memory o = UniformPrice.outcome(lo, book.sums(lo));
        uint256[] memory fills = book.fills(o);
        uint256[2] memory traded;
        for (uint256 i = 0; i < book.length; ++i) {
            require(fills[i] <= Orders.energy(book[i]), "more than the order");
            traded[Orders.isAsk(book[i]) ? 1 : 0] += fills[i];
        }
        require(traded[0] == o.volume && traded[1] == o.volume, "sold = bought");
    }

    function test_nobody_wants_to_trade() external pure {
        uint256[] memory book = new uint256[](0);
        require(UniformPrice.isPivot(0, book.sums(0)), "pivot of an empty book");
        require(!UniformPrice.isPivot(1, book.sums(1)), "another one");
        require(UniformPrice.outcome(0, book.sums(0)).volume == 0, "volume");
    }

    function test_price_lies_halfway_between_the_last_bid_and_ask() external pure {
        uint256[] memory book = new uint256[](2);
        book[0] = Book.encode(false, 151, 400);
        book[1] = Book.encode(true, 100, 400);
        UniformPrice.Outcome memory o = UniformPrice.outcome(100, book.sums(100));
        require(o.price == 125 && o.volume == 400 && o.rationed == UniformPrice.Rationed.None, "125, 400 Wh");
    }
}
