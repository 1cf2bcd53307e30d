// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ImbalancePricing} from "../../contracts/interfaces/IMarketRules.sol";
import {ImbalancePrice} from "../../contracts/libraries/ImbalancePrice.sol";
import {UniformPrice} from "../../contracts/libraries/UniformPrice.sol";
import {Strips} from "../../contracts/types/Strips.sol";
import {Book} from "./Book.sol";
import {magnitude, unkept} from "./Energies.sol";
import {VM} from "./Vm.sol";

/// Numbers of the reference model (tests/model/vectors.py) against the libraries, one by one.
contract VectorsTest {
    using Book for uint256[];

    struct Clearing {
        bytes orders;
        uint256 pivot;
        uint256 price;
        uint256 volume;
        uint256 rationed;
        uint256 share;
        uint256 marginal;
        uint256[] fills;
    }

    struct Settlement {
        uint8 pricing;
        bool chargeHelpful;
        uint256 toleranceFixed;
        uint256 toleranceShare;
        uint256 deviationRate;
        int256 lowest;
        uint256 tick;
        int256 buy;
        int256 sell;
        bool isTraded;
        uint256 price;
        int256[] contracted;
        int256[] metered;
        int256[] imbalance;
        int256[] deviation;
        int256 fallbackSupply;
        int256 surplus;
    }

    function test_clearing() external view {
        string memory json = VM.readFile("tests/vectors/clearing.json");
        bytes memory data = VM.parseJsonTypeArray(
            json,
            "$",
            "Clearing(bytes orders,uint256 pivot,uint256 price,uint256 volume,uint256 rationed,uint256 share,uint256 marginal,uint256[] fills)"
        );
        Clearing[] memory cases = abi.decode(data, (Clearing[]));
        require(cases.length == 1000, "cases");
        for (uint256 i = 0; i < cases.length; ++i) {
            _requireClearing(cases[i], VM.toString(i));
        }
    }

    function _requireClearing(Clearing memory c, string memory name) private pure {
        uint256[] memory book = _decode(c.orders);
        UniformPrice.Sums memory sums = book.sums(c.pivot);
        require(UniformPrice.isPivot(c.pivot, sums), string.concat("pivot ", name));
        UniformPrice.Outcome memory o = UniformPrice.outcome(c.pivot, sums);
        require(o.price == c.price && o.volume == c.volume, string.concat("price and volume ", name));
        require(uint8(o.rationed) == c.rationed, string.concat("rationed ", name));
        require(o.share == c.share && o.marginal == c.marginal, string.concat("share ", name));
        require(
            keccak256(abi.encodePacked(book.fills(o))) == keccak256(abi.encodePacked(c.fills)),
            string.concat("fills ", name)
        );
    }

    function _decode(bytes memory lanes) private pure returns (uint256[] memory book) {
        book = new uint256[](lanes.length / 5);
        for (uint256 i = 0; i < lanes.length; ++i) {
            book[i / 5] = (book[i / 5] << 8) | uint8(lanes[i]);
        }
    }

    function test_settlement() external view {
        string memory json = VM.readFile("tests/vectors/settlement.json");
        bytes memory data = VM.parseJsonTypeArray(
            json,
            "$",
            "Settlement(uint8 pricing,bool chargeHelpful,uint256 toleranceFixed,uint256 toleranceShare,uint256 deviationRate,int256 lowest,uint256 tick,int256 buy,int256 sell,bool isTraded,uint256 price,int256[] contracted,int256[] metered,int256[] imbalance,int256[] deviation,int256 fallbackSupply,int256 surplus)"
        );
        Settlement[] memory cases = abi.decode(data, (Settlement[]));
        require(cases.length == 300, "cases");
        for (uint256 i = 0; i < cases.length; ++i) {
            _requireSettlement(cases[i], VM.toString(i));
        }
    }

    function _deviation(Settlement memory c, uint256 i, int256 d, int256 area) private pure returns (int256) {
        if (!c.chargeHelpful && ((d > 0 && area < 0) || (d < 0 && area > 0))) {
            return 0;
        }
        uint256 charged = ImbalancePrice.chargeableDown(
            unkept(c.contracted[i], d), magnitude(c.contracted[i]), c.toleranceFixed, c.toleranceShare
        );
        return int256(charged * c.deviationRate);
    }

    function _requireSettlement(Settlement memory c, string memory name) private pure {
        int256 area = 0;
        for (uint256 i = 0; i < c.metered.length; ++i) {
            area += c.metered[i];
        }
        (uint256 buy, uint256 sell) = (uint256(c.buy - c.lowest), uint256(c.sell - c.lowest));
        uint256 middle = ImbalancePrice.mid(buy, sell, c.price * c.tick, c.isTraded);
        (uint256 short, uint256 long) = ImbalancePrice.prices(ImbalancePricing(c.pricing), area, buy, sell, middle);
        int256 surplus = 0;
        for (uint256 i = 0; i < c.metered.length; ++i) {
            int256 d = c.metered[i] - c.contracted[i];
            int256 payment = d * (int256(d > 0 ? short : long) + c.lowest);
            require(payment == c.imbalance[i], string.concat("imbalance ", name));
            surplus += payment;
            require(_deviation(c, i, d, area) == c.deviation[i], string.concat("deviation ", name));
            // As the contracts hold them: no energy of the model is beyond a lane.
            uint256 lane = uint256(c.metered[i] + int256(Strips.BIAS));
            require(Strips.signedLane(lane << ((i % 6) * Strips.LANE_BITS), i % 6) == c.metered[i], name);
        }
        int256 due = area * (area > 0 ? c.buy : c.sell);
        require(due == c.fallbackSupply && surplus - due == c.surplus, string.concat("area ", name));
    }
}
