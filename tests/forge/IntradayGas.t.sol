// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IContinuousMarket, IntradayOrder} from "../../contracts/interfaces/IContinuousMarket.sol";
import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {IParticipantRegistry} from "../../contracts/interfaces/IParticipantRegistry.sol";
import {IStandingWatcher} from "../../contracts/interfaces/IStandingWatcher.sol";
import {OrderNumbers} from "../../contracts/market/intraday/OrderNumbers.sol";
import {Calendar} from "../../contracts/types/Calendar.sol";
import {FIRST_PARTICIPANT} from "../../contracts/types/Members.sol";
import {Money} from "../../contracts/types/Units.sol";
import {Market} from "./Market.sol";
import {VM, deploy} from "./Vm.sol";

/// What intraday orders cost in books of some depth. Every call is a transaction of its own, with its base cost and calldata, sent
/// by the participant. Day 1 writes storage never used before, day 9 the places of day 1: the steady state. Numbers go to the folder
/// GAS_OUT, tools/gas.py makes bench/intraday.* of them.
/// forge-config: default.isolate = true
contract IntradayGasTest is Market {
    uint256 private constant MEMBERS = 60;
    uint32 private constant ENERGY = 100;
    uint16 private constant BEST = 1_224;
    uint16 private constant SLOT = 40;

    IContinuousMarket private _intraday;
    string private _json;
    uint256 private _next;
    uint40 private _sequence;

    function test_gas_intraday_10() external {
        _measure(10);
    }

    function test_gas_intraday_1000() external {
        _measure(1_000);
    }

    /// Takes a while: only where it is asked for.
    function test_gas_intraday_10000() external {
        VM.skip(bytes(VM.envOr("GAS_ALL", "")).length == 0);
        _measure(10_000);
    }

    /// The dearest order there can be: it meets as many orders as it may, each at a price of its own and of a member who has not
    /// traded yet, and skips as many empty prices, on storage never used before.
    function test_gas_largest_order() external {
        uint256 bound = 256;
        _deployAll(bound + 1);
        VM.warp(Calendar(address(_intraday)).gateClosesAt(1));
        for (uint256 i = 0; i <= bound; ++i) {
            VM.prank(VM.addr(_key(i)));
            _intraday.fund(1, Money.wrap(1e12));
        }
        for (uint256 i = 0; i < bound; ++i) {
            uint16 tick = BEST + uint16(2 * i);
            _place(i, 1, true, tick, 50, 0);
            _place(i, 1, true, tick + 1, 50, 0);
            _cancelOne(i, 1, uint64(OrderNumbers.firstOf(SLOT, 1, tick + 1)));
        }
        uint256 gas = _place(bound, 1, false, 2_000, uint32(50 * bound + 50), uint16(bound));
        require(_intraday.accountOf(uint32(FIRST_PARTICIPANT + bound), 1).traded == 50 * bound, "all met");
        require(_intraday.prices(1, SLOT, false).length == 1, "the rest rests");
        require(gas < 1 << 24, "a transaction's cap");
        _write("largest", string.concat('{"gas":', VM.toString(gas), "}\n"));
    }

    function _deployAll(uint256 members) private {
        _deploy();
        _intraday = IContinuousMarket(
            deploy(
                "ContinuousMarket", abi.encode(authority, _calendar(), uint32(300), registry, rules, accounts, schedule)
            )
        );
        _grant(10, address(_intraday), IMarket.book.selector, address(schedule));
        _grant(15, address(_intraday), IStandingWatcher.bar.selector, address(registry));
        _grant(3, address(registry), IParticipantRegistry.addWatcher.selector, address(this));
        registry.addWatcher(address(_intraday));
        schedule.addMarket(_intraday, 1);
        _admit(members, 1e15);
    }

    function _measure(uint256 depth) private {
        _deployAll(MEMBERS);
        string memory json = string.concat('{"1":', _day(1, depth));
        VM.prank(address(settlement));
        rules.markFinal(1);
        _write(VM.toString(depth), string.concat(json, ',"9":', _day(9, depth), "}\n"));
    }

    function _write(string memory name, string memory json) private {
        string memory folder = VM.envOr("GAS_OUT", "");
        if (bytes(folder).length == 0) return;
        VM.createDir(folder, true);
        VM.writeFile(string.concat(folder, "/intraday-", name, ".json"), json);
    }

    /// @return gas by kind of transaction, as JSON.
    function _day(uint32 day, uint256 depth) private returns (string memory) {
        VM.warp(Calendar(address(_intraday)).gateClosesAt(day));
        _json = "{";
        for (uint256 i = 0; i < MEMBERS; ++i) {
            VM.prank(VM.addr(_key(i)));
            _intraday.fund(day, Money.wrap(1e12));
            if (i == 1) _note("fund", _used());
        }
        _fill(day, depth);
        _rest(day, depth);
        _cancel(day, depth);
        _trade(day, depth);
        return string.concat(_json, "}");
    }

    /// Asks at up to 50 prices, every second one from BEST on.
    function _fill(uint32 day, uint256 depth) private {
        for (uint256 n = 0; n < depth; ++n) {
            // No price has two orders of one member in turn.
            _place((n + n / 50) % 50, day, true, BEST + uint16(2 * (n % 50)), ENERGY, 0);
        }
    }

    /// Three orders one after the other, of which one turns the word of a level.
    function _rest(uint32 day, uint256 depth) private {
        uint256 most = 0;
        uint256 sum = 0;
        for (uint256 n = 0; n < 3; ++n) {
            uint256 gas = _place(n, day, true, BEST + 2, ENERGY, 0);
            sum += gas;
            if (gas > most) most = gas;
        }
        _note("existing level, mean of three", sum / 3);
        _note("existing level, dearest of three", most);
        _note("new level", _place(3, day, true, BEST + 21, ENERGY, 0));
        _note("new best", _place(4, day, true, BEST - 1, ENERGY, 0));
        _note("empty side", _place(5, day, false, BEST - 100, ENERGY, 0));
        _note("existing level, signed", _placeSigned(6, day, BEST + 4));
        require(_intraday.prices(day, SLOT, true).length == (depth < 50 ? depth : 50) + 2, "prices");
    }

    function _cancel(uint32 day, uint256 depth) private {
        uint64 level = uint64(OrderNumbers.firstOf(SLOT, 1, BEST + 2));
        _note("cancel, newest of a level", _cancelOne(2, day, level + uint64(depth < 50 ? 3 : depth / 50 + 2)));
        _note("cancel, oldest of a level", _cancelOne(1, day, level));
        _note("cancel, last of a level", _cancelOne(3, day, uint64(OrderNumbers.firstOf(SLOT, 1, BEST + 21))));
        _note("cancel, the best", _cancelOne(4, day, uint64(OrderNumbers.firstOf(SLOT, 1, BEST - 1))));
    }

    /// Buyers who take 1, then 6 orders, of as many levels in a book of 10, of one level in a deep one.
    function _trade(uint32 day, uint256 depth) private {
        uint256 one = _place(50, day, false, BEST + 40, ENERGY, 20);
        uint256 six = _place(51, day, false, BEST + 40, 6 * ENERGY, 20);
        _note("taker, one fill", one);
        _note("taker, six fills", six);
        _note("each further fill", (six - one) / 5);
        uint256 rest = _place(52, day, false, BEST + 1, 1_000 * ENERGY / 20, 2);
        _note("taker, two fills of a larger order", rest);
        require(depth > 10 || _intraday.accountOf(FIRST_PARTICIPANT + 51, day).traded == 6 * ENERGY, "six fills");
    }

    function _place(uint256 i, uint32 day, bool isAsk, uint16 tick, uint32 energy, uint16 maxFills)
        private
        returns (uint256)
    {
        VM.prank(VM.addr(_key(i)));
        _intraday.place(day, SLOT, isAsk, tick, energy, maxFills);
        return _used();
    }

    function _placeSigned(uint256 i, uint32 day, uint16 tick) private returns (uint256) {
        IntradayOrder memory o = IntradayOrder(
            VM.addr(_key(i)), day, SLOT, true, tick, ENERGY, 20, uint64(block.timestamp + 1), ++_sequence
        );
        bytes32 typehash = keccak256(
            "IntradayOrder(address participant,uint32 day,uint16 slot,bool isAsk,uint16 tick,uint32 energy,uint16 maxFills,uint64 expiry,uint40 sequence)"
        );
        bytes memory signature = _sign(_key(i), _domain(address(_intraday)), keccak256(abi.encode(typehash, o)));
        _intraday.placeSigned(o, signature);
        return _used();
    }

    function _cancelOne(uint256 i, uint32 day, uint64 number) private returns (uint256) {
        VM.prank(VM.addr(_key(i)));
        _intraday.cancel(day, number);
        return _used();
    }

    /// Gas of the transaction before this.
    function _used() private view returns (uint256) {
        return VM.lastCallGas().gasTotalUsed;
    }

    function _note(string memory name, uint256 gas) private {
        string memory comma = bytes(_json).length == 1 ? "" : ",";
        _json = string.concat(_json, comma, '"', name, '":', VM.toString(gas));
    }
}
