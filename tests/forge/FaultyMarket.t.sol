// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {IAccounts} from "../../contracts/interfaces/IAccounts.sol";
import {IMarket, Positions} from "../../contracts/interfaces/IMarket.sol";
import {ReadingSheet} from "../../contracts/interfaces/IMeterReadings.sol";
import {ISchedule} from "../../contracts/interfaces/ISchedule.sol";
import {ISettlement} from "../../contracts/interfaces/ISettlement.sol";
import {PositionLists} from "../../contracts/libraries/PositionLists.sol";
import {WorstDay} from "../../contracts/libraries/WorstDay.sol";
import {Calendar} from "../../contracts/types/Calendar.sol";
import {FIRST_PARTICIPANT} from "../../contracts/types/Members.sol";
import {Strips} from "../../contracts/types/Strips.sol";
import {Money} from "../../contracts/types/Units.sol";
import {Book} from "./Book.sol";
import {Market} from "./Market.sol";
import {VM} from "./Vm.sol";

enum Fault {
    None,
    Reverts,
    BurnsGas,
    AnswersNothing,
    AnswersTooMuch,
    ReleasesTooMuch,
    ReleasesOthers,
    ContractsTooMuch,
    OwesTooMuch,
    HasNoStrips,
    CallsBack
}

/// A market in which the first member buys from the second, with a fault as soon as it is asked about the victim.
contract FaultyMarket is IMarket {
    ISchedule private immutable SCHEDULE;
    ISettlement private immutable SETTLEMENT;
    IAccounts private immutable ACCOUNTS;
    uint32 private immutable BUYER;
    uint256 private immutable STRIPS;

    Fault public fault;
    uint32 public victim;
    bool public isCleared_ = true;
    bool public canTell = true;
    /// Why the settlement did not let it in.
    bytes4 public refusal;

    constructor(ISchedule schedule, ISettlement settlement, IAccounts accounts, uint32 buyer, uint256 strips) {
        (SCHEDULE, SETTLEMENT, ACCOUNTS, BUYER, STRIPS) = (schedule, settlement, accounts, buyer, strips);
    }

    function become(Fault fault_, uint32 victim_) external {
        (fault, victim) = (fault_, victim_);
    }

    function setCleared(bool isCleared__, bool canTell_) external {
        (isCleared_, canTell) = (isCleared__, canTell_);
    }

    function takeOrders(uint256 day, uint32 id, int128 locked) external {
        SCHEDULE.noteOrders(day);
        ACCOUNTS.lockCollateral(id, locked);
    }

    function isCleared(uint256) external view returns (bool) {
        if (!canTell) _burn();
        return isCleared_;
    }

    function book(uint256 day, uint32 firstId, uint256 count) external returns (Positions memory p) {
        p = PositionLists.empty(count);
        for (uint256 i = 0; i < count; ++i) {
            _trade(p, i, firstId + uint32(i));
        }
        if (victim < firstId || victim - firstId >= count) return p;
        _fail(p, victim - firstId, uint32(day));
    }

    function _trade(Positions memory p, uint256 i, uint32 id) private view {
        if (id != BUYER && id != BUYER + 1) return;
        p.net[i] = new uint256[](STRIPS);
        for (uint256 strip = 0; strip < STRIPS; ++strip) {
            p.net[i][strip] = id == BUYER ? Strips.ZERO_LANES + 1_000 : Strips.ZERO_LANES - 1_000;
        }
        p.traded[i] = STRIPS * 1_000;
        p.payment[i] = id == BUYER ? int256(1e9) : -int256(1e9);
    }

    function _fail(Positions memory p, uint256 i, uint32 day) private {
        require(fault != Fault.Reverts, "faulty");
        if (fault == Fault.BurnsGas) _burn();
        if (fault == Fault.AnswersNothing) {
            assembly {
                return(0, 31)
            }
        }
        if (fault == Fault.AnswersTooMuch) {
            // Nothing that can be read, and dear to take.
            assembly {
                mstore(0, not(0))
                return(0, 1200000)
            }
        }
        if (fault == Fault.ReleasesTooMuch) p.release[i] = ACCOUNTS.heldBy(address(this), victim) + 1;
        // What the victim has locked in the auction.
        if (fault == Fault.ReleasesOthers) p.release[i] = ACCOUNTS.accountOf(victim).locked;
        if (fault == Fault.ContractsTooMuch) {
            p.net[i] = new uint256[](STRIPS);
            for (uint256 strip = 0; strip < STRIPS; ++strip) {
                p.net[i][strip] = Strips.ZERO_LANES;
            }
            // A period's energy that fits a lane alone, and none beside fifteen others.
            p.net[i][0] += Strips.MAX_POSITION + 1;
            p.traded[i] = Strips.MAX_POSITION + 1;
        }
        if (fault == Fault.OwesTooMuch) p.payment[i] = type(int256).max;
        if (fault == Fault.HasNoStrips) p.net[i] = new uint256[](STRIPS + 1);
        if (fault == Fault.CallsBack) {
            try SETTLEMENT.settle(day, 1) {}
            catch (bytes memory reason) {
                refusal = bytes4(reason);
            }
        }
    }

    function _burn() private pure {
        assembly {
            invalid()
        }
    }
}

/// What a faulty market cannot do: stop the others, or change anybody's day beyond its own trades. Each call has the gas of a
/// transaction.
/// forge-config: default.isolate = true
contract FaultyMarketTest is Market {
    uint256 private constant STRIPS = 16;
    uint256 private constant MEMBERS = 4;
    uint256 private constant GAS = 16_777_216;
    uint32 private constant DAY = 1;
    uint32 private constant BUYER = uint32(FIRST_PARTICIPANT);
    uint32 private constant VICTIM = BUYER + uint32(MEMBERS) - 1;

    FaultyMarket private _market;

    function test_one_that_reverts() external {
        _requireIsolated(Fault.Reverts);
    }

    function test_one_that_burns_gas() external {
        _requireIsolated(Fault.BurnsGas);
    }

    function test_one_that_answers_nothing() external {
        _requireIsolated(Fault.AnswersNothing);
    }

    function test_one_that_answers_too_much() external {
        _requireIsolated(Fault.AnswersTooMuch);
    }

    function test_one_that_releases_more_than_is_locked() external {
        _requireIsolated(Fault.ReleasesTooMuch);
    }

    function test_one_that_releases_what_others_hold() external {
        int256[] memory expected = _balancesWithout();
        _play(true);
        uint256 held = accounts.heldBy(address(auction), BUYER);
        require(held > 0 && held == accounts.accountOf(BUYER).locked, "all that the buyer has locked");
        _market.become(Fault.ReleasesOthers, BUYER);
        _requireVoided();
        require(!schedule.isVoid(auction, DAY), "who took it is blamed, not who lacks it");
        require(accounts.accountOf(BUYER).locked == 0, "its own market has released it");
        _requireEqual(_balances(), expected);
    }

    function test_one_that_contracts_more_than_lanes_have_room_for() external {
        _requireIsolated(Fault.ContractsTooMuch);
    }

    function test_one_that_moves_more_money_than_there_is() external {
        _requireIsolated(Fault.OwesTooMuch);
    }

    function test_one_that_has_no_such_strips() external {
        _requireIsolated(Fault.HasNoStrips);
    }

    function test_one_without_code_any_more() external {
        _play(true);
        _settleBefore(VICTIM);
        VM.etch(address(_market), "");
        settlement.settle(DAY, 1_000);
        require(schedule.isVoid(_market, DAY), "the last member was asked for alone");
        settlement.settle(DAY, 1_000);
        require(settlement.isSettled(DAY), "settled");
    }

    /// The settlement is guarded: what it answers is what it would have answered without the try.
    function test_one_that_calls_back_is_refused() external {
        _play(true);
        _market.become(Fault.CallsBack, VICTIM);
        settlement.settle(DAY, 1_000);
        require(settlement.isSettled(DAY), "settled");
        require(_market.refusal() == ReentrancyGuard.ReentrancyGuardReentrantCall.selector, "refused");
        require(!schedule.isVoid(_market, DAY), "in order");
    }

    /// Too little gas makes any market fail: then nothing is decided.
    function test_nobody_voids_a_market_by_giving_little_gas() external {
        _play(true);
        _settleBefore(VICTIM);
        _market.become(Fault.BurnsGas, VICTIM);
        for (uint256 gas = 200_000; gas < WorstDay.GAS_OF_MARKET + 100_000; gas += 200_000) {
            _requireRefused(gas);
        }
        _market.become(Fault.None, VICTIM);
        for (uint256 gas = 50_000; gas < 2_000_000; gas += 50_000) {
            try settlement.settle{gas: gas}(DAY, 1) {
                require(settlement.isSettled(DAY), "settled");
                return;
            } catch {}
            require(!schedule.isVoid(_market, DAY), "in order");
        }
        revert("never settled");
    }

    /// Of a day that was settled with its trades, and is settled again without them.
    function test_a_day_that_is_settled_again() external {
        int256[] memory expected = _playTwice(false);
        _requireEqual(_playTwice(true), expected);
    }

    function test_one_that_is_never_cleared() external {
        int256[] memory expected = _balancesWithout();
        _play(true);
        _market.setCleared(false, true);
        _requireLate(expected);
    }

    function test_one_that_cannot_tell_whether_it_is_cleared() external {
        int256[] memory expected = _balancesWithout();
        _play(true);
        _market.setCleared(true, false);
        _requireLate(expected);
    }

    /// What it has locked is released by the council, and only then.
    function test_what_it_has_locked_is_released() external {
        _play(true);
        uint32[] memory ids = new uint32[](1);
        Money[] memory amounts = new Money[](1);
        (ids[0], amounts[0]) = (VICTIM, Money.wrap(7));
        bool isReleased = true;
        try schedule.releaseHeld(_market, ids, amounts) {}
        catch {
            isReleased = false;
        }
        require(!isReleased, "it releases what it holds itself");
        _market.become(Fault.Reverts, VICTIM);
        _requireVoided();
        require(accounts.heldBy(address(_market), VICTIM) == 7, "still locked");
        schedule.releaseHeld(_market, ids, amounts);
        require(accounts.accountOf(VICTIM).locked == 0, "released");
    }

    // ----------------------------------------------------------------------------------------------------- the day

    /// Two members trade in the auction, and in the other market if there is one; then the day is ready to be settled.
    function _play(bool isPluggedIn) private {
        _deploy();
        _admit(MEMBERS, 1e15);
        _market = new FaultyMarket(schedule, settlement, accounts, BUYER, STRIPS);
        schedule.addMarket(_market, DAY);
        Calendar calendar = Calendar(address(auction));
        VM.warp(calendar.opensAt(DAY));
        for (uint256 i = 0; i < 2; ++i) {
            bytes32[] memory lines = new bytes32[](1);
            lines[0] = bytes32(Strips.withDay(Book.encode(i % 2 == 0, 100, 200), DAY));
            VM.prank(VM.addr(_key(i)));
            auction.enterOwn(DAY, 0, 1, lines);
        }
        if (isPluggedIn) _market.takeOrders(DAY, VICTIM, 7);
        VM.warp(calendar.gateClosesAt(DAY));
        uint16[6] memory pivots;
        for (uint8 strip = 0; strip < STRIPS; ++strip) {
            pivots[0] = strip == 0 ? 100 : 0;
            auction.clear(DAY, strip, pivots, 10);
        }
        VM.warp(calendar.meteringDeadline(DAY));
        // What is estimated claims nothing, so it would hide how much the victim is said to have traded.
        _read(MEMBERS - 1, new bytes(16 * 97));
        readings.close(DAY, 1_000);
    }

    function _read(uint256 i, bytes memory registers) private {
        ReadingSheet memory sheet = ReadingSheet(VM.addr(_meterKey(i)), DAY, 0, 1, registers, 0);
        readings.enter(_signReadings(_meterKey(i), _domain(address(readings)), sheet));
    }

    /// Settles the day, reads another value, and settles it again when corrections are closed; its last member alone.
    function _playTwice(bool isPluggedIn) private returns (int256[] memory) {
        _play(isPluggedIn);
        settlement.settle(DAY, 1_000);
        bytes memory registers = new bytes(16 * 97);
        for (uint256 n = 1; n <= 96; ++n) {
            registers[16 * n + 6] = bytes1(uint8(n));
        }
        _read(0, registers);
        require(!settlement.isSettled(DAY), "to be settled again");
        VM.warp(Calendar(address(auction)).correctionsCloseAt(DAY));
        if (isPluggedIn) {
            _market.become(Fault.Reverts, VICTIM);
            _requireVoided();
        } else {
            settlement.settle(DAY, 1_000);
        }
        return _balances();
    }

    function _settleBefore(uint32 id) private {
        settlement.settle(DAY, id - 1);
        require(settlement.nextMember(DAY) == id, "all before");
    }

    /// The fault is met, the market is void, and all others are settled.
    function _requireIsolated(Fault fault) private {
        int256[] memory expected = _balancesWithout();
        _play(true);
        _market.become(fault, VICTIM);
        _requireVoided();
        _requireEqual(_balances(), expected);
    }

    function _requireVoided() private {
        bool isSettled = true;
        try settlement.settle{gas: GAS}(DAY, 1_000) {}
        catch {
            isSettled = false;
        }
        require(!isSettled, "with others nobody can tell whose fault it is");
        for (uint256 n = 0; n < 1_000 && !schedule.isVoid(_market, DAY); ++n) {
            settlement.settle{gas: GAS}(DAY, 1);
        }
        require(settlement.nextMember(DAY) == 1, "begins again");
        settlement.settle{gas: GAS}(DAY, 1_000);
        require(settlement.isSettled(DAY), "settled");
    }

    function _requireRefused(uint256 gas) private {
        bool isTaken = true;
        try settlement.settle{gas: gas}(DAY, 1) {}
        catch {
            isTaken = false;
        }
        require(!isTaken && !schedule.isVoid(_market, DAY), "decided with too little gas");
    }

    /// Nobody waits for it any more when corrections are closed.
    function _requireLate(int256[] memory expected) private {
        _requireRefused(GAS);
        VM.warp(Calendar(address(auction)).correctionsCloseAt(DAY));
        if (!_market.canTell()) _requireRefused(120_000);
        settlement.settle{gas: GAS}(DAY, 1_000);
        require(settlement.isSettled(DAY) && schedule.isVoid(_market, DAY), "settled without it");
        _requireEqual(_balances(), expected);
        settlement.finalize(DAY);
    }

    function _balancesWithout() private returns (int256[] memory) {
        _play(false);
        settlement.settle(DAY, 1_000);
        return _balances();
    }

    /// Money of all members, and of the market itself: free and locked together.
    function _balances() private view returns (int256[] memory money) {
        money = new int256[](VICTIM);
        for (uint32 id = 1; id <= VICTIM; ++id) {
            money[id - 1] = int256(accounts.accountOf(id).free) + int256(uint256(accounts.accountOf(id).locked))
                - int256(uint256(accounts.accountOf(id).arrears));
        }
        require(money[1] == 0, "nothing is left with the clearing house");
    }

    function _requireEqual(int256[] memory a, int256[] memory b) private pure {
        for (uint256 i = 0; i < a.length; ++i) {
            require(a[i] == b[i], "as if it had never been there");
        }
    }
}
