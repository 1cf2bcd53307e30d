// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarket, Positions} from "../../contracts/interfaces/IMarket.sol";
import {Rules} from "../../contracts/interfaces/IMarketRules.sol";
import {ReadingSheet} from "../../contracts/interfaces/IMeterReadings.sol";
import {SettledDay} from "../../contracts/interfaces/ISettlement.sol";
import {DayTerms} from "../../contracts/libraries/DayTerms.sol";
import {Calendar} from "../../contracts/types/Calendar.sol";
import {BALANCING_FUND, FIRST_PARTICIPANT} from "../../contracts/types/Members.sol";
import {Strips} from "../../contracts/types/Strips.sol";
import {Price} from "../../contracts/types/Units.sol";
import {magnitude} from "./Energies.sol";
import {Market} from "./Market.sol";
import {VM} from "./Vm.sol";

/// Contracts what it is told to, and says what of it was sold back.
contract PlayedMarket is IMarket {
    int256[6][] private _net;
    uint256[6][] private _flexible;

    function set(int256[6][] calldata net, uint256[6][] calldata flexible) external {
        for (uint256 i = 0; i < net.length; ++i) {
            _net.push(net[i]);
            _flexible.push(flexible[i]);
        }
    }

    function isCleared(uint256) external pure returns (bool) {
        return true;
    }

    function book(uint256 day, uint32 firstId, uint256 count) external view returns (Positions memory p) {
        if (day != 1) return p;
        p.net = new uint256[][](count);
        p.payment = new int256[](count);
        p.traded = new uint256[](count);
        p.release = new uint256[](count);
        p.flexible = new uint256[][](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 id = firstId + i;
            if (id < FIRST_PARTICIPANT) continue;
            p.net[i] = new uint256[](16);
            uint256[] memory sold = new uint256[](16);
            for (uint256 strip = 0; strip < 16; ++strip) {
                p.net[i][strip] = Strips.ZERO_LANES;
            }
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                int256 net = _net[id - FIRST_PARTICIPANT][k];
                uint256 shift = k * Strips.LANE_BITS;
                p.net[i][0] = net < 0 ? p.net[i][0] - (uint256(-net) << shift) : p.net[i][0] + (uint256(net) << shift);
                p.traded[i] += uint256(net < 0 ? -net : net);
                sold[0] |= _flexible[id - FIRST_PARTICIPANT][k] << shift;
            }
            if (sold[0] != 0) p.flexible[i] = sold;
        }
    }
}

/// What members may claim from the balancing fund, and what it pays them, against the rules lane by lane.
contract ClaimsTest is Market {
    uint256 private constant MEMBERS = 20;

    int256[6][] private _net;
    int256[6][] private _metered;
    uint256[6][] private _flexible;
    int256[6] private _area;
    uint256 private _seed;

    function _random(uint256 limit) private returns (uint256) {
        return uint256(keccak256(abi.encode(++_seed))) % limit;
    }

    /// Members trade in pairs; meters read what was contracted, or something near it.
    function _draw() private {
        for (uint256 i = 0; i < MEMBERS; ++i) {
            int256[6] memory net;
            int256[6] memory metered;
            uint256[6] memory flexible;
            for (uint256 k = 0; k < 6; ++k) {
                net[k] = i % 2 == 1 ? -_net[i - 1][k] : int256(_random(3) * _random(500));
                metered[k] = net[k] + (_random(3) == 0 ? int256(0) : int256(_random(160)) - 80);
                if (i % 3 != 0) flexible[k] = _random(2) * _random(1_000);
                _area[k] += metered[k];
            }
            _net.push(net);
            _metered.push(metered);
            _flexible.push(flexible);
        }
    }

    function _settleDay() private {
        PlayedMarket played = new PlayedMarket();
        played.set(_net, _flexible);
        schedule.addMarket(played, 1);
        Calendar calendar = Calendar(address(settlement));
        VM.warp(calendar.opensAt(1));
        VM.prank(address(played));
        schedule.noteOrders(1);
        VM.warp(calendar.gateClosesAt(1));
        for (uint8 strip = 0; strip < 16; ++strip) {
            uint16[6] memory pivots;
            auction.clear(1, strip, pivots, 1);
        }
        VM.warp(calendar.startOf(2));
        for (uint256 i = 0; i < MEMBERS; ++i) {
            ReadingSheet memory sheet = ReadingSheet(VM.addr(_meterKey(i)), 1, 0, 1, _registers(_metered[i]), 0);
            readings.enter(_signReadings(_meterKey(i), _domain(address(readings)), sheet));
        }
        VM.warp(calendar.meteringDeadline(1));
        readings.close(1, 100);
        settlement.settle(1, 9);
        settlement.settle(1, 100);
        VM.warp(calendar.correctionsCloseAt(1));
        settlement.finalize(1);
    }

    function _registers(int256[6] memory metered) private pure returns (bytes memory data) {
        uint64 imported = 0;
        uint64 exported = 0;
        data = abi.encodePacked(imported, exported);
        for (uint256 k = 0; k < 6; ++k) {
            if (metered[k] > 0) imported += uint64(uint256(metered[k]));
            else exported += uint64(uint256(-metered[k]));
            data = bytes.concat(data, abi.encodePacked(imported, exported));
        }
        // Nothing more until the day ends, for what is estimated earns nothing.
        bytes memory rest = abi.encodePacked(imported, exported);
        for (uint256 n = 0; n < 90; ++n) {
            data = bytes.concat(data, rest);
        }
    }

    /// External, so that the compiler leaves it a function of its own.
    function claimOf(uint256 i) external view returns (uint256 flexible, uint256 kept) {
        for (uint256 k = 0; k < 6; ++k) {
            (int256 c, int256 m) = (_net[i][k], _metered[i][k]);
            if (_area[k] > 0 && c >= 0 && m <= c) flexible += _flexible[i][k];
            if ((c > 0) == (m > 0)) kept += magnitude(c) < magnitude(m) ? magnitude(c) : magnitude(m);
        }
    }

    /// forge-config: default.fuzz.runs = 8
    function test_claims_and_payments_are_those_of_the_rules(uint64 seed) external {
        _seed = seed;
        _deploy();
        _admit(MEMBERS, 1e15);
        _draw();
        _settleDay();
        (uint256[] memory flexible, uint256[] memory kept) = settlement.claimsOf(1, FIRST_PARTICIPANT, MEMBERS);
        uint256 allFlexible = 0;
        uint256 allKept = 0;
        for (uint256 i = 0; i < MEMBERS; ++i) {
            (uint256 helpful, uint256 exact) = this.claimOf(i);
            require(flexible[i] == helpful, "flexible");
            require(kept[i] == exact, "kept");
            allFlexible += helpful;
            allKept += exact;
        }
        SettledDay memory day = settlement.dayOf(1);
        require(day.flexible == allFlexible && day.kept == allKept, "totals");
        require(day.members == FIRST_PARTICIPANT + MEMBERS - 1, "members");
        _requirePaid(day, flexible, kept);
    }

    function _requirePaid(SettledDay memory day, uint256[] memory flexible, uint256[] memory kept) private {
        uint256 income = uint256(int256(accounts.accountOf(BALANCING_FUND).free));
        require(int256(income) == day.fund, "income");
        Rules memory r = _rules();
        uint256 premiums = day.flexible * Price.unwrap(r.premiumRate);
        if (premiums > income) premiums = income;
        uint256 rewards = ((income - premiums) * r.rewardShare) / 10_000;
        uint256 most = 2 * DayTerms.fees(r) * day.kept;
        if (rewards > most) rewards = most;
        int256[] memory before = new int256[](MEMBERS);
        for (uint256 i = 0; i < MEMBERS; ++i) {
            before[i] = accounts.accountOf(uint32(FIRST_PARTICIPANT + i)).free;
        }
        fund.pay(1, 11);
        fund.pay(1, 100);
        uint256 paid = 0;
        for (uint256 i = 0; i < MEMBERS; ++i) {
            uint256 due = flexible[i] == 0 ? 0 : (premiums * flexible[i]) / day.flexible;
            if (kept[i] > 0) due += (rewards * kept[i]) / day.kept;
            require(accounts.accountOf(uint32(FIRST_PARTICIPANT + i)).free == before[i] + int256(due), "payment");
            paid += due;
        }
        require(accounts.accountOf(BALANCING_FUND).free == int256(income - paid), "rest");
        require(fund.nextDay() == 2, "next day");
    }
}
