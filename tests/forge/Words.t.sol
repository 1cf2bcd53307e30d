// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Orders} from "../../contracts/types/Orders.sol";
import {Sheet, Sheets} from "../../contracts/types/Sheets.sol";
import {Strips} from "../../contracts/types/Strips.sol";
import {Tariffs} from "../../contracts/types/Tariffs.sol";
import {MAX_TICK, Price, UNITS_PER_TICK} from "../../contracts/types/Units.sol";
import {bound} from "./Vm.sol";

contract OrdersTest {
    function test_an_order_comes_back_from_its_lane(bool isAsk, uint16 tick, uint32 energy, uint8 lane, uint256 others)
        external
        pure
    {
        tick = uint16(bound(tick, 0, MAX_TICK));
        energy = uint32(bound(energy, 1, Orders.ENERGY_MASK));
        uint256 order = ((isAsk ? uint256(1) : 0) << 39) | (uint256(tick) << 27) | energy;
        uint256 k = lane % Strips.LANES;
        uint256 word = (others & ~(Strips.LANE_MASK << (40 * k))) | (order << (40 * k));
        order = Strips.lane(word, k);
        require(Orders.isAsk(order) == isAsk, "side");
        require(Orders.tick(order) == tick, "tick");
        require(Orders.energy(order) == energy, "energy");
    }

    function test_limits() external pure {
        require(Orders.tick(type(uint40).max) == MAX_TICK, "highest tick");
        require(Orders.energy(type(uint40).max) == (1 << 27) - 1, "largest order");
        require(!Orders.isAsk(0) && Orders.isAsk(1 << 39), "side");
    }
}

contract SheetsTest {
    function test_a_sheet_comes_back(uint16 day, uint40 sequence, uint16 layers, uint104 terms, uint80 locked)
        external
        pure
    {
        uint256 word = Sheets.pack(Sheet(day, sequence, layers, terms, locked));
        require(Strips.dayOf(word) == day, "the day as in a strip");
        Sheet memory s = Sheets.unpack(word);
        require(s.day == day && s.sequence == sequence && s.layers == layers, "day, sequence, layers");
        require(s.terms == terms && s.locked == locked, "terms, locked");
    }

    function test_a_days_terms_come_back(uint256 fees, uint256 ceiling, uint32 minEnergy, uint16 maxLayers)
        external
        pure
    {
        fees = bound(fees, 0, (1 << 28) - 1);
        ceiling = bound(ceiling, 0, (1 << 28) - 1);
        uint256 terms = Sheets.packTerms(fees, ceiling, minEnergy, maxLayers);
        require(terms < 1 << 104, "104 bits");
        require(Sheets.fees(terms) == fees && Sheets.ceiling(terms) == ceiling, "fees, ceiling");
        require(Sheets.minEnergy(terms) == minEnergy && Sheets.maxLayers(terms) == maxLayers, "energy, layers");
    }
}

contract TariffsTest {
    function test_a_tariff_comes_back(uint256 buy, uint256 sell) external pure {
        buy = bound(buy, 0, (1 << 20) - 1);
        sell = bound(sell, 0, (1 << 20) - 1);
        uint256 lane = Tariffs.pack(buy, sell);
        require(lane <= Strips.LANE_MASK, "40 bits");
        (uint256 b, uint256 s) = Tariffs.unpack(lane);
        require(b == buy && s == sell, "tariff");
    }

    function test_a_lane_comes_back(uint40 lane) external pure {
        (uint256 buy, uint256 sell) = Tariffs.unpack(lane);
        require(Tariffs.pack(buy, sell) == lane, "lane");
    }
}

contract UnitsTest {
    function plusPrice(Price a, Price b) external pure returns (Price) {
        return a + b;
    }

    function test_prices_add_up_or_revert(uint32 a, uint32 b) external view {
        (bool ok, bytes memory sum) =
            address(this).staticcall(abi.encodeCall(this.plusPrice, (Price.wrap(a), Price.wrap(b))));
        bool fits = uint256(a) + b <= type(uint32).max;
        require(ok == fits, "reverts only beyond 32 bits");
        if (fits) require(abi.decode(sum, (uint256)) == uint256(a) + b, "price");
    }

    function test_the_highest_limit_fits_the_tariffs() external pure {
        require(MAX_TICK * UNITS_PER_TICK < 1 << 20, "20 bits");
    }
}
