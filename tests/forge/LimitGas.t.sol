// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {OrderSheet, SignedSheet} from "../../contracts/interfaces/IOrderSheets.sol";
import {IGridLimits, ZoneLimit} from "../../contracts/interfaces/IGridLimits.sol";
import {IMarketRules} from "../../contracts/interfaces/IMarketRules.sol";
import {GridShares} from "../../contracts/libraries/GridShares.sol";
import {Calendar} from "../../contracts/types/Calendar.sol";
import {FIRST_PARTICIPANT} from "../../contracts/types/Members.sol";
import {Orders} from "../../contracts/types/Orders.sol";
import {Ring} from "../../contracts/types/Ring.sol";
import {Strips} from "../../contracts/types/Strips.sol";
import {Market} from "./Market.sol";
import {VM} from "./Vm.sol";

/// What limits of the network cost (rule 10): a town's day, and the sheets of members who are limited or not.
/// forge-config: default.isolate = true
contract LimitGasTest is Market {
    uint256 private constant STRIPS = 16;
    uint256 private constant MEMBERS = 10;
    uint256 private constant ORDERS = MEMBERS * 96;
    uint16 private constant ZONES = 34;
    uint256 private constant BINDING = 5;

    IGridLimits private _limits;

    function setUp() external {
        _deploy();
        _limits = IGridLimits(gridLimits);
        _grant(6, gridLimits, IGridLimits.limit.selector, address(this));
        _grant(6, gridLimits, IGridLimits.assign.selector, address(this));
        _grant(11, address(rules), IMarketRules.markFinal.selector, address(this));
    }

    /// The town's evening: five strips of 34 zones, in the places of a day that is final.
    function test_limits_of_a_towns_day_take_at_most_2_million_gas() external {
        _report("limits of a town's day, on storage never used before", _limit(1, ZONES, BINDING));
        VM.warp(Calendar(address(settlement)).startOf(3));
        rules.markFinal(1);
        uint256 gas = _limit(1 + uint32(Ring.DAYS), ZONES, BINDING);
        _report("limits of a town's day", gas);
        require(gas <= 2_000_000, "too dear");
    }

    function test_an_order_costs_little_more_with_limits() external {
        _admit(MEMBERS, 1e15);
        uint256 bare = _submit(1);
        uint32[] memory ids = new uint32[](MEMBERS);
        uint16[] memory zones = new uint16[](MEMBERS);
        for (uint256 i = 0; i < MEMBERS; ++i) {
            (ids[i], zones[i]) = (FIRST_PARTICIPANT + uint32(i), 1);
        }
        _limits.assign(ids, zones, 2);
        _limit(2, 0, 0);
        uint256 unlimited = _submit(2);
        _limit(3, 1, 5);
        uint256 evening = _submit(3);
        _limit(4, 1, STRIPS);
        uint256 limited = _submit(4);
        _report("an order more, of a day without limits", (unlimited - bare) / ORDERS);
        _report("an order more, five strips limited", (evening - bare) / ORDERS);
        _report("an order more, all strips limited", (limited - bare) / ORDERS);
        require(limited - bare <= 650 * ORDERS, "too dear");
    }

    function _report(string memory what, uint256 gas) private {
        emit log_named_uint(what, gas);
    }

    event log_named_uint(string key, uint256 val);

    function _limit(uint32 day, uint16 zones, uint256 strips) private returns (uint256) {
        VM.warp(Calendar(address(auction)).opensAt(day) - 1);
        ZoneLimit[] memory limits = new ZoneLimit[](zones * strips);
        for (uint16 zone = 0; zone < zones; ++zone) {
            for (uint8 strip = 0; strip < strips; ++strip) {
                limits[zone * strips + strip] = ZoneLimit(zone + 1, strip, GridShares.inAllLanes(9_000, 9_000));
            }
        }
        _limits.limit(day, limits, keccak256("report"));
        return VM.lastCallGas().gasTotalUsed;
    }

    /// One order in each of 96 periods by each member.
    function _submit(uint32 day) private returns (uint256) {
        VM.warp(Calendar(address(auction)).opensAt(day));
        SignedSheet[] memory sheets = new SignedSheet[](MEMBERS);
        uint256 order = (uint256(1_200) << Orders.TICK_SHIFT) | 1_000;
        for (uint256 i = 0; i < MEMBERS; ++i) {
            bytes32[] memory lines = new bytes32[](STRIPS);
            for (uint256 strip = 0; strip < STRIPS; ++strip) {
                lines[strip] = bytes32(Strips.withDay(order * Strips.ONES, day));
            }
            OrderSheet memory sheet = OrderSheet(VM.addr(_key(i)), day, 0, day, lines);
            sheets[i] = _signSheet(_key(i), _domain(address(auction)), sheet);
        }
        auction.submit(sheets);
        uint256 gas = VM.lastCallGas().gasTotalUsed;
        (, uint256 highestId) = auction.bookOf(day);
        require(highestId == FIRST_PARTICIPANT + MEMBERS - 1, "refused");
        return gas;
    }
}
