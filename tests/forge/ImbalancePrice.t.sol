// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ImbalancePricing} from "../../contracts/interfaces/IMarketRules.sol";
import {ImbalancePrice} from "../../contracts/libraries/ImbalancePrice.sol";
import {MAX_TICK} from "../../contracts/types/Units.sol";
import {bound, boundSigned} from "./Vm.sol";

/// Rule 11: whatever the imbalances, the balancing fund never pays for them.
contract ImbalancePriceTest {
    uint256 private constant MAX_PRICE = (1 << 20) - 1;
    uint256 private constant MAX_WH = 1 << 38;

    function _tariffs(uint256 buy, uint256 sell) private pure returns (uint256, uint256) {
        buy = bound(buy, 0, MAX_PRICE);
        return (buy, bound(sell, 0, buy));
    }

    function _middle(uint256 buy, uint256 sell, uint256 price, bool hasPrice) private pure returns (uint256) {
        return ImbalancePrice.mid(buy, sell, bound(price, 0, MAX_TICK) * 100, hasPrice);
    }

    /// @return surplus what members pay beyond what the fallback supplier is owed, money units.
    function _surplus(ImbalancePricing pricing, int256[7] memory d, uint256 buy, uint256 sell, uint256 middle)
        private
        pure
        returns (int256 surplus)
    {
        int256 area = 0;
        for (uint256 i = 0; i < d.length; ++i) {
            area += d[i];
        }
        (uint256 short, uint256 long) = ImbalancePrice.prices(pricing, area, buy, sell, middle);
        for (uint256 i = 0; i < d.length; ++i) {
            surplus += d[i] * int256(d[i] > 0 ? short : long);
        }
        surplus -= area * int256(area > 0 ? buy : sell);
    }

    /// forge-config: default.fuzz.runs = 2000
    function test_the_fund_never_pays(
        int256[7] memory d,
        bool isBalanced,
        uint256 buy,
        uint256 sell,
        uint256 price,
        bool hasPrice
    ) external pure {
        (buy, sell) = _tariffs(buy, sell);
        uint256 middle = _middle(buy, sell, price, hasPrice);
        int256 sum = 0;
        for (uint256 i = 0; i < d.length; ++i) {
            d[i] = boundSigned(d[i], i % 2 == 0 ? MAX_WH : 20);
            if (i + 1 < d.length) sum += d[i];
        }
        if (isBalanced) d[d.length - 1] = -sum;
        require(_surplus(ImbalancePricing.Single, d, buy, sell, middle) == 0, "single price leaves nothing");
        require(_surplus(ImbalancePricing.TwoPrice, d, buy, sell, middle) >= 0, "two-price");
        require(_surplus(ImbalancePricing.Tariff, d, buy, sell, middle) >= 0, "tariff");
    }

    /// forge-config: default.fuzz.runs = 1000
    function test_mid_lies_within_the_tariffs(uint256 buy, uint256 sell, uint256 price, bool hasPrice) external pure {
        (buy, sell) = _tariffs(buy, sell);
        price = bound(price, 0, MAX_TICK) * 100;
        uint256 middle = ImbalancePrice.mid(buy, sell, price, hasPrice);
        require(sell <= middle && middle <= buy, "outside");
        if (!hasPrice) require(buy + sell - 2 * middle <= 1 && 2 * middle <= buy + sell, "not the middle, down");
        else if (sell <= price && price <= buy) require(middle == price, "not the price");
        else require(middle == (price > buy ? buy : sell), "not the nearer tariff");
    }

    /// forge-config: default.fuzz.runs = 1000
    function test_prices_of_the_three_schemes(int256 area, uint256 buy, uint256 sell, uint256 price) external pure {
        (buy, sell) = _tariffs(buy, sell);
        area = boundSigned(area, 3);
        uint256 middle = _middle(buy, sell, price, true);
        (uint256 short, uint256 long) = ImbalancePrice.prices(ImbalancePricing.Tariff, area, buy, sell, middle);
        require(short == buy && long == sell, "tariff");
        (short, long) = ImbalancePrice.prices(ImbalancePricing.Single, area, buy, sell, middle);
        require(short == long && short == (area > 0 ? buy : area < 0 ? sell : middle), "single");
        (short, long) = ImbalancePrice.prices(ImbalancePricing.TwoPrice, area, buy, sell, middle);
        // Helping the area never beats having traded, and is not punished.
        require(short == (area > 0 ? buy : middle) && long == (area < 0 ? sell : middle), "two-price");
        require(long <= middle && middle <= short, "better than the auction");
    }

    /// forge-config: default.fuzz.runs = 2000
    function test_tolerance(uint256 unkept, uint256 contracted, uint256 fixedWh, uint256 share) external pure {
        unkept = bound(unkept, 0, 2 * MAX_WH);
        contracted = bound(contracted, 0, MAX_WH);
        fixedWh = bound(fixedWh, 0, MAX_WH);
        share = bound(share, 0, 10_000);
        uint256 charged = ImbalancePrice.chargeableDown(unkept, contracted, fixedWh, share);
        require(charged <= unkept, "charged beyond what was not kept");
        uint256 free = unkept - charged;
        require(free <= fixedWh || free * 10_000 <= contracted * share, "tolerance rounded up");
        if (charged == 0) return;
        require(free >= fixedWh && (free + 1) * 10_000 > contracted * share, "1 Wh or more too much");
    }

    function test_tolerance_by_hand() external pure {
        require(ImbalancePrice.chargeableDown(11, 0, 10, 500) == 1, "fixed");
        require(ImbalancePrice.chargeableDown(11, 219, 10, 500) == 1, "10.95 Wh is 10");
        require(ImbalancePrice.chargeableDown(11, 220, 10, 500) == 0, "11 Wh");
        require(ImbalancePrice.chargeableDown(300, 2000, 10, 500) == 200, "5 % of 2,000");
    }
}
