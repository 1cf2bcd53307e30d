// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {OrderSheet, SignedSheet} from "../../contracts/interfaces/IOrderSheets.sol";
import {ReadingSheet, SignedReadings} from "../../contracts/interfaces/IMeterReadings.sol";
import {CLEARING_HOUSE, FIRST_PARTICIPANT} from "../../contracts/types/Members.sol";
import {Calendar} from "../../contracts/types/Calendar.sol";
import {Strips} from "../../contracts/types/Strips.sol";
import {Tariffs} from "../../contracts/types/Tariffs.sol";
import {Book} from "./Book.sol";
import {Market} from "./Market.sol";
import {VM} from "./Vm.sol";

/// What a day of the market costs: N participants with an order and a deviation in each of 96 periods. Every call is a
/// transaction of its own, with its base cost and calldata. Day 1 writes storage never used before, day 2 the next places of
/// the ring, day 9 the places of day 1: the steady state. Numbers go to the folder GAS_OUT, tools/gas.py makes bench/ of them.
/// forge-config: default.isolate = true
contract GasTest is Market {
    uint256 private constant STRIPS = 16;
    /// EIP-7825
    uint256 private constant TRANSACTION_LIMIT = 1 << 24;
    /// All limits lie in this many ticks from here.
    uint256 private constant FIRST_TICK = 1_080;
    uint256 private constant TICKS = 96;

    /// Gas of all transactions of one kind.
    struct Costs {
        uint256 sheets;
        /// One order changed in a transaction of its own: signed and relayed, and sent by the participant.
        uint256 change;
        uint256 ownChange;
        uint256 clearing;
        uint256 readings;
        uint256 settlement;
        /// Tariffs, boundary meter, closing of the readings.
        uint256 day;
        uint256 transactions;
        uint256 largest;
    }

    uint256 private _members;
    /// Registers of the meters: import << 64 | export; the last one is the boundary's.
    uint256[] private _registers;
    Costs private _costs;
    uint256 private _clearings;
    uint256 private _largestClearing;

    function test_gas_10() external {
        _measure(10);
    }

    function test_gas_100() external {
        _measure(100);
    }

    /// Takes a while: only where it is asked for.
    function test_gas_1000() external {
        VM.skip(bytes(VM.envOr("GAS_ALL", "")).length == 0);
        _measure(1_000);
    }

    /// Clearing alone, of one strip of a day never used before, in transactions of at most 20 groups of members.
    function test_gas_clearing_10000() external {
        VM.skip(bytes(VM.envOr("GAS_ALL", "")).length == 0);
        _deploy();
        _admit(10_000, 1e15);
        _members = 10_000;
        Calendar calendar = Calendar(address(settlement));
        VM.warp(calendar.opensAt(1));
        uint256[] memory energies = new uint256[](96 * 2 * TICKS);
        _submitSheets(1, 1, energies);
        VM.warp(calendar.gateClosesAt(1));
        _clearStrip(1, 0, 20, energies);
        string memory json = string.concat('{"clearing":', VM.toString(_costs.clearing), ',"transactions":');
        json = string.concat(json, VM.toString(_clearings), ',"largest":', VM.toString(_largestClearing), "}\n");
        if (bytes(_folder()).length == 0) return;
        VM.createDir(_folder(), true);
        VM.writeFile(string.concat(_folder(), "/clearing-10000.json"), json);
    }

    function _measure(uint256 members) private {
        _deploy();
        _admit(members, 1e15);
        _members = members;
        _registers = new uint256[](members + 1);
        string memory json = string.concat('{"members":', VM.toString(members), ',"days":{');
        json = string.concat(json, '"1":', _day(1), ',"2":', _day(2));
        for (uint32 day = 3; day < 9; ++day) {
            _idle(day);
        }
        json = string.concat(json, ',"9":', _day(9), "}}\n");
        string memory folder = _folder();
        if (bytes(folder).length == 0) return;
        VM.createDir(folder, true);
        VM.writeFile(string.concat(folder, "/", VM.toString(members), ".json"), json);
    }

    /// Where the numbers go; nowhere in builds that are not meant to be measured, such as those for coverage.
    function _folder() private view returns (string memory) {
        return VM.envOr("GAS_OUT", "");
    }

    /// @return costs of the day as JSON.
    function _day(uint32 day) private returns (string memory) {
        delete _costs;
        Calendar calendar = Calendar(address(settlement));
        VM.warp(calendar.opensAt(day) - 1);
        _publish(day);
        VM.warp(calendar.opensAt(day));
        uint256[] memory energies = new uint256[](96 * 2 * TICKS);
        _submitSheets(day, STRIPS, energies);
        _changeOne(day, 2, false, energies);
        _changeOne(day, 3, true, energies);
        VM.warp(calendar.gateClosesAt(day));
        _clear(day, energies);
        VM.warp(calendar.startOf(day) + 1 days);
        _submitReadings(day);
        _submitBoundary(day);
        VM.warp(calendar.meteringDeadline(day));
        _settle(day);
        if (day < 3) {
            // Day 9 needs room for itself and the day after; the idle days before it do not become final.
            VM.warp(calendar.correctionsCloseAt(day));
            settlement.finalize(day);
        }
        return _toJson();
    }

    /// A day without a trade; nothing of it is measured. Members whose meters are silent would order no more.
    function _idle(uint32 day) private {
        Calendar calendar = Calendar(address(settlement));
        VM.warp(calendar.startOf(day) + 1 days);
        _submitReadings(day);
        _submitBoundary(day);
        VM.warp(calendar.meteringDeadline(day));
        while (!readings.isClosed(day)) {
            readings.close(day, 50);
        }
    }

    function _toJson() private view returns (string memory json) {
        Costs memory c = _costs;
        json = string.concat('{"sheets":', VM.toString(c.sheets), ',"change":', VM.toString(c.change));
        json = string.concat(json, ',"ownChange":', VM.toString(c.ownChange));
        json = string.concat(json, ',"clearing":', VM.toString(c.clearing), ',"readings":', VM.toString(c.readings));
        json = string.concat(json, ',"settlement":', VM.toString(c.settlement), ',"day":', VM.toString(c.day));
        json = string.concat(json, ',"transactions":', VM.toString(c.transactions));
        json = string.concat(json, ',"largest":', VM.toString(c.largest), "}");
    }

    /// Gas of the transaction before this.
    function _used() private returns (uint256 gas) {
        gas = VM.lastCallGas().gasTotalUsed;
        require(gas < TRANSACTION_LIMIT || bytes(_folder()).length == 0, "too large a transaction");
        ++_costs.transactions;
        if (gas > _costs.largest) _costs.largest = gas;
    }

    // -------------------------------------------------------------------------------------------------- day-ahead

    function _publish(uint32 day) private {
        uint256[] memory words = new uint256[](STRIPS);
        for (uint256 s = 0; s < STRIPS; ++s) {
            words[s] = Strips.withDay(0, day);
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                words[s] |= Tariffs.pack(130_000 + s, 108_000 + k) << (k * Strips.LANE_BITS);
            }
        }
        fallbackSupply.publish(day, words);
        _costs.day += _used();
    }

    /// Members take turns in buying and selling; most limits are met.
    function _line(uint32 day, uint256 i, uint256 s, uint256[] memory energies) private pure returns (bytes32) {
        uint256 random = uint256(keccak256(abi.encode(day, i, s)));
        bool isAsk = i % 2 == 1;
        uint256 word = Strips.withDay(0, day);
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            uint256 offset = random % 64 + (isAsk ? 0 : 32);
            uint256 energy = 200 + (random >> 8) % 2_000;
            random >>= 24;
            word |= Book.encode(isAsk, FIRST_TICK + offset, energy) << (k * Strips.LANE_BITS);
            energies[_at(s * Strips.LANES + k, isAsk) + offset] += energy;
        }
        return bytes32(word);
    }

    function _at(uint256 slot, bool isAsk) private pure returns (uint256) {
        return (slot * 2 + (isAsk ? 1 : 0)) * TICKS;
    }

    function _submitSheets(uint32 day, uint256 strips, uint256[] memory energies) private {
        bytes32 domain = _domain(address(auction));
        uint256 chunk = day == 9 ? 80 : 30;
        for (uint256 first = 0; first < _members; first += chunk) {
            uint256 mark = _mark();
            uint256 count = _members - first < chunk ? _members - first : chunk;
            SignedSheet[] memory sheets = new SignedSheet[](count);
            for (uint256 n = 0; n < count; ++n) {
                uint256 i = first + n;
                OrderSheet memory sheet = OrderSheet(VM.addr(_key(i)), day, 0, 1, new bytes32[](strips));
                for (uint256 s = 0; s < strips; ++s) {
                    sheet.lines[s] = _line(day, i, s, energies);
                }
                sheets[n] = _signSheet(_key(i), domain, sheet);
            }
            auction.submit(sheets);
            _costs.sheets += _used();
            _release(mark);
        }
        for (uint256 i = 0; i < _members; ++i) {
            (uint256 sequence,,) = auction.sheetOf(uint32(FIRST_PARTICIPANT + i), day);
            require(sequence == 1, "a sheet was refused");
        }
    }

    /// The first participant wants 1 Wh more in the first period.
    function _changeOne(uint32 day, uint40 sequence, bool isRelayed, uint256[] memory energies) private {
        bytes32[] memory lines = new bytes32[](1);
        uint256 word = auction.linesOf(day, FIRST_PARTICIPANT, 1)[0][0];
        lines[0] = bytes32(word + 1);
        uint256 offset = ((word >> 27) & 0xfff) - FIRST_TICK;
        energies[_at(0, false) + offset] += 1;
        if (isRelayed) {
            OrderSheet memory sheet = OrderSheet(VM.addr(_key(0)), day, 0, sequence, lines);
            auction.enter(_signSheet(_key(0), _domain(address(auction)), sheet));
            _costs.change += _used();
        } else {
            VM.prank(VM.addr(_key(0)));
            auction.enterOwn(day, 0, sequence, lines);
            _costs.ownChange += _used();
        }
    }

    function _clear(uint32 day, uint256[] memory energies) private {
        for (uint8 s = 0; s < STRIPS; ++s) {
            _clearStrip(day, s, 5, energies);
        }
        require(auction.isCleared(day), "not cleared");
    }

    function _clearStrip(uint32 day, uint8 s, uint256 maxGroups, uint256[] memory energies) private {
        uint16[6] memory pivots;
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            pivots[k] = _pivot(s * Strips.LANES + k, energies);
        }
        while (auction.clearedStrips(day) & (1 << s) == 0) {
            auction.clear(day, s, pivots, maxGroups);
            uint256 gas = _used();
            _costs.clearing += gas;
            ++_clearings;
            if (gas > _largestClearing) _largestClearing = gas;
        }
    }

    /// min{t : A(<=t) >= D(>t)}
    function _pivot(uint256 slot, uint256[] memory energies) private pure returns (uint16) {
        uint256 bids = _at(slot, false);
        uint256 asks = _at(slot, true);
        uint256 demand = 0;
        for (uint256 t = 0; t < TICKS; ++t) {
            demand += energies[bids + t];
        }
        uint256 supply = 0;
        for (uint256 t = 0; t < TICKS; ++t) {
            supply += energies[asks + t];
            demand -= energies[bids + t];
            if (supply >= demand) return uint16(FIRST_TICK + t);
        }
        revert("no pivot");
    }

    // ---------------------------------------------------------------------------------------------------- delivery

    /// Registers of a day: the buyers' import and the sellers' export, each period about what they ordered.
    function _readDay(uint32 day, uint256 i) private returns (bytes memory data) {
        data = new bytes(97 * 16);
        uint256 both = _registers[i];
        _put(data, 0, both);
        for (uint256 n = 1; n <= 96; ++n) {
            uint256 energy = 200 + uint256(keccak256(abi.encode(day, i, n))) % 2_000;
            // The boundary meter's values are as good as any.
            both += i % 2 == 1 && i != _members ? energy : energy << 64;
            _put(data, n, both);
        }
        _registers[i] = both;
    }

    function _put(bytes memory data, uint256 n, uint256 register) private pure {
        assembly ("memory-safe") {
            let at := add(add(data, 32), mul(n, 16))
            let low := and(mload(at), sub(shl(128, 1), 1))
            mstore(at, or(shl(128, register), low))
        }
    }

    function _submitReadings(uint32 day) private {
        bytes32 domain = _domain(address(readings));
        uint256 chunk = day == 9 ? 65 : 25;
        for (uint256 first = 0; first < _members; first += chunk) {
            uint256 mark = _mark();
            uint256 count = _members - first < chunk ? _members - first : chunk;
            SignedReadings[] memory sheets = new SignedReadings[](count);
            for (uint256 n = 0; n < count; ++n) {
                uint256 i = first + n;
                ReadingSheet memory sheet = ReadingSheet(VM.addr(_meterKey(i)), day, 0, day, _readDay(day, i), 0);
                sheets[n] = _signReadings(_meterKey(i), domain, sheet);
            }
            readings.submit(sheets);
            _costs.readings += _used();
            _release(mark);
        }
    }

    function _submitBoundary(uint32 day) private {
        ReadingSheet memory sheet = ReadingSheet(VM.addr(BOUNDARY_KEY), day, 0, day, _readDay(day, _members), 0);
        readings.enter(_signReadings(BOUNDARY_KEY, _domain(address(readings)), sheet));
        _costs.day += _used();
    }

    // -------------------------------------------------------------------------------------------------- settlement

    function _settle(uint32 day) private {
        while (!readings.isClosed(day)) {
            readings.close(day, 500);
            _costs.day += _used();
        }
        while (!settlement.isSettled(day)) {
            settlement.settle(day, 60);
            _costs.settlement += _used();
        }
        require(accounts.accountOf(CLEARING_HOUSE).free == 0, "clearing house not at zero");
        require(accounts.accountOf(FIRST_PARTICIPANT).locked == 0, "collateral kept");
    }

    function _mark() private pure returns (uint256 mark) {
        assembly ("memory-safe") {
            mark := mload(0x40)
        }
    }

    /// Memory since the mark is used again: it would grow without end.
    function _release(uint256 mark) private pure {
        assembly ("memory-safe") {
            mstore(0x40, mark)
        }
    }
}
