// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Orders} from "../../contracts/types/Orders.sol";
import {Strips} from "../../contracts/types/Strips.sol";
import {Tariffs} from "../../contracts/types/Tariffs.sol";
import {Energy, MAX_TICK, Money, Price, UNITS_PER_TICK} from "../../contracts/types/Units.sol";
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
    function test_value_is_exact(uint64 energy, uint32 price) external pure {
        Money value = Energy.wrap(energy).valueAt(Price.wrap(price));
        require(Money.unwrap(value) == uint256(energy) * price, "value");
    }

    function test_sums(uint64 a, uint64 b) external pure {
        (uint64 x, uint64 y) = (a / 2, b / 2);
        require(Energy.wrap(x) + Energy.wrap(y) == Energy.wrap(x + y), "energy");
        require(Money.wrap(a) + Money.wrap(b) == Money.wrap(uint128(a) + b), "money");
        require(Money.wrap(uint128(a) + b) - Money.wrap(b) == Money.wrap(a), "money back");
        require((Money.wrap(a) < Money.wrap(b)) == (a < b), "less money");
        (uint32 p, uint32 q) = (uint32(a) / 2, uint32(b) / 2);
        require(Price.unwrap(Price.wrap(p) + Price.wrap(q)) == p + q, "price");
        require((Price.wrap(p) < Price.wrap(q)) == (p < q), "lower price");
    }

    function plusEnergy(Energy a, Energy b) external pure returns (Energy) {
        return a + b;
    }

    function plusMoney(Money a, Money b) external pure returns (Money) {
        return a + b;
    }

    function minusMoney(Money a, Money b) external pure returns (Money) {
        return a - b;
    }

    function plusPrice(Price a, Price b) external pure returns (Price) {
        return a + b;
    }

    function test_what_does_not_fit_reverts(uint64 e, uint128 m, uint32 p) external view {
        (bool ok,) = address(this).staticcall(abi.encodeCall(this.plusEnergy, (Energy.wrap(e), Energy.wrap(~e))));
        require(ok, "just fits");
        if (e > 0) {
            (ok,) = address(this).staticcall(abi.encodeCall(this.plusEnergy, (Energy.wrap(e), Energy.wrap(~e + 1))));
            require(!ok, "energy");
        }
        if (m > 0) {
            (ok,) = address(this).staticcall(abi.encodeCall(this.plusMoney, (Money.wrap(m), Money.wrap(~m + 1))));
            require(!ok, "money");
            (ok,) = address(this).staticcall(abi.encodeCall(this.minusMoney, (Money.wrap(m - 1), Money.wrap(m))));
            require(!ok, "money below zero");
        }
        if (p > 0) {
            (ok,) = address(this).staticcall(abi.encodeCall(this.plusPrice, (Price.wrap(p), Price.wrap(~p + 1))));
            require(!ok, "price");
        }
    }

    function test_the_highest_limit_fits_the_tariffs() external pure {
        require(MAX_TICK * UNITS_PER_TICK < 1 << 20, "20 bits");
    }
}
