// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Account, IAccounts, Posting, Withdrawal} from "../../contracts/interfaces/IAccounts.sol";
import {IBilateralContracts, Proposal} from "../../contracts/interfaces/IBilateralContracts.sol";
import {ICallAuction} from "../../contracts/interfaces/ICallAuction.sol";
import {OrderSheet} from "../../contracts/interfaces/IOrderSheets.sol";
import {IContinuousMarket} from "../../contracts/interfaces/IContinuousMarket.sol";
import {IIntermediaries, Mandate} from "../../contracts/interfaces/IIntermediaries.sol";
import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {Rules} from "../../contracts/interfaces/IMarketRules.sol";
import {IParticipantRegistry} from "../../contracts/interfaces/IParticipantRegistry.sol";
import {IStandingWatcher} from "../../contracts/interfaces/IStandingWatcher.sol";
import {ReadingSheet} from "../../contracts/interfaces/IMeterReadings.sol";
import {IWholesaleDesk, WholesaleCommitment} from "../../contracts/interfaces/IWholesaleDesk.sol";
import {WholesaleReport} from "../../contracts/interfaces/IWholesaleResidual.sol";
import {WorstDay} from "../../contracts/libraries/WorstDay.sol";
import {Calendar, CalendarParameters} from "../../contracts/types/Calendar.sol";
import {FIRST_PARTICIPANT, Kind, OPERATOR} from "../../contracts/types/Members.sol";
import {Orders} from "../../contracts/types/Orders.sol";
import {Strips} from "../../contracts/types/Strips.sol";
import {Energy, Money, SignedPrice} from "../../contracts/types/Units.sol";
import {Book} from "./Book.sol";
import {Fault, FaultyMarket} from "./FaultyMarket.t.sol";
import {Market} from "./Market.sol";
import {VM, deploy} from "./Vm.sol";

/// The day of a member that does all it may, settled in a transaction of its own: every layer of the auction with both hands, bids
/// and asks in turn, all rationed at the price and the rest of them at the margin of the wholesale market; the same in a pool; 64
/// contracts, each with somebody else who is in arrears as well, which its default ends, and which would have ended while their
/// days are still looked for one by one; trades in every period of the intraday market; readings that keep
/// nothing. On storage never used before, whose words it is the first to write.
/// forge-config: default.isolate = true
contract WorstDayTest is Market {
    uint256 private constant WORST = 0;
    uint256 private constant BROKER = 1;
    uint256 private constant OTHER = 2;
    uint256 private constant DESK = 3;
    uint256 private constant CONTRACTS = 64;
    uint256 private constant GAS_OF_TRANSACTION = 16_777_216;
    uint32 private constant DAY = 2;
    uint16 private constant TICK = 1_100;
    uint256 private constant ENERGY = 5;

    uint16 private _periods;
    uint16 private _layers;
    ICallAuction private _pool;
    IContinuousMarket private _intraday;
    IBilateralContracts private _bilateral;
    uint256 private _mostOfMarket;
    /// As many as there may be besides, in each of which others trade.
    ICallAuction[] private _pools;
    FaultyMarket private _faulty;

    function test_worst_day_of_96_periods() external {
        _requireBounded(96);
    }

    function test_worst_day_of_24_periods() external {
        _requireBounded(24);
    }

    /// The shortest day has the most layers: what its sheets have room for.
    function test_worst_day_of_6_periods() external {
        _requireBounded(6);
    }

    function _requireBounded(uint16 periods) private {
        _periods = periods;
        uint256 strips = periods / Strips.LANES;
        uint256 most = WorstDay.mostLayers(strips);
        _layers = uint16(most + 1);
        bool isTaken = true;
        try this.deployRules() {}
        catch {
            isTaken = false;
        }
        require(!isTaken, "one layer more is refused");
        require(WorstDay.gasOf(strips, most) <= 12_000_000, "more than a transaction is to need");
        // With one layer as well: what the layers do not depend on.
        for (uint16 layers = 1; layers <= most; layers += uint16(most) - 1) {
            _layers = layers;
            uint256 gas = _settleWorst();
            uint256 computed = WorstDay.gasOf(strips, layers);
            _note(periods, layers, gas, computed);
            require(gas <= computed, "more than computed");
        }
    }

    function deployRules() external {
        deploy("MarketRules", abi.encode(address(this), _calendar(), _prices(), _rules()));
    }

    function _note(uint256 periods, uint256 layers, uint256 gas, uint256 computed) private {
        string memory folder = VM.envOr("GAS_OUT", "");
        if (bytes(folder).length == 0) return;
        VM.createDir(folder, true);
        string memory json = string.concat('{"layers":', VM.toString(layers), ',"gas":', VM.toString(gas));
        json = string.concat(json, ',"bound":', VM.toString(computed));
        json = string.concat(json, ',"market":', VM.toString(_mostOfMarket), "}\n");
        string memory name = string.concat("/worst-", VM.toString(periods), "-", VM.toString(layers), ".json");
        VM.writeFile(string.concat(folder, name), json);
    }

    // -------------------------------------------------------------------------------------------------- deployment

    function _calendar() internal view override returns (CalendarParameters memory c) {
        c = super._calendar();
        c.periodsPerDay = _periods;
        c.periodLength = uint32(1 days) / _periods;
    }

    function _rules() internal view override returns (Rules memory r) {
        r = super._rules();
        r.maxLayers = _layers;
    }

    function _deployAll() private {
        _deploy();
        IIntermediaries intermediaries =
            IIntermediaries(deploy("Intermediaries", abi.encode(_calendar(), registry, rules, accounts, schedule)));
        _grant(13, address(registry), IParticipantRegistry.divide.selector, address(intermediaries));
        for (uint256 i = 0; i <= DESK + CONTRACTS; ++i) {
            Kind kind = i == BROKER ? Kind.Intermediary : i == DESK ? Kind.WholesaleDesk : Kind.Prosumer;
            _admitOne(i, kind, 1e16);
        }
        Mandate memory m = Mandate(VM.addr(_key(WORST)), VM.addr(_key(BROKER)), 5_000, 1, 1);
        bytes32 typehash =
            keccak256("Mandate(address client,address intermediary,uint16 share,uint32 firstDay,uint40 sequence)");
        intermediaries.choose(
            m, _sign(_key(WORST), _domain(address(intermediaries)), keccak256(abi.encode(typehash, m)))
        );
        address members = deploy("PoolMembers", abi.encode(registry, uint32(FIRST_PARTICIPANT + BROKER)));
        _pool = _deployAuction(members);
        _intraday = IContinuousMarket(
            deploy(
                "ContinuousMarket", abi.encode(authority, _calendar(), uint32(300), registry, rules, accounts, schedule)
            )
        );
        _grant(15, address(_intraday), IStandingWatcher.bar.selector, address(registry));
        _grant(3, address(registry), IParticipantRegistry.addWatcher.selector, address(this));
        registry.addWatcher(address(_intraday));
        _grant(3, address(desk), IWholesaleDesk.appoint.selector, address(this));
        desk.appoint(uint32(FIRST_PARTICIPANT + DESK), 1);
        _grant(2, address(accounts), IAccounts.redeem.selector, address(this));
        _bilateral = IBilateralContracts(
            deploy(
                "BilateralContracts", abi.encode(authority, _calendar(), registry, rules, accounts, schedule, uint8(0))
            )
        );
        _plug(_pool);
        _plug(residual);
        _plug(_intraday);
        _plug(_bilateral);
        delete _pools;
        for (uint256 n = 6; n < WorstDay.MAX_MARKETS; ++n) {
            _pools.push(_deployAuction(address(registry)));
            _plug(_pools[_pools.length - 1]);
        }
        _faulty = new FaultyMarket(schedule, settlement, accounts, type(uint32).max - 1, _periods / Strips.LANES);
        _plug(_faulty);
    }

    function _plug(IMarket market) private {
        _grant(10, address(market), IMarket.book.selector, address(schedule));
        schedule.addMarket(market, 1);
    }

    // ----------------------------------------------------------------------------------------------------- the day

    /// @return gas of the transaction that settles the member.
    function _settleWorst() private returns (uint256 gas) {
        _deployAll();
        Calendar calendar = Calendar(address(settlement));
        VM.warp(calendar.opensAt(1));
        _conclude();
        VM.warp(calendar.opensAt(DAY));
        _order(auction);
        _order(_pool);
        for (uint256 n = 0; n < _pools.length; ++n) {
            for (uint256 i = 0; i < 2; ++i) {
                VM.prank(VM.addr(_key(DESK + 1 + i)));
                _pools[n].enterOwn(DAY, 0, 1, _lines(1, ENERGY, i == 0));
            }
        }
        _faulty.takeOrders(DAY, uint32(FIRST_PARTICIPANT), 0);
        WholesaleReport memory report = _commit();
        VM.warp(calendar.gateClosesAt(1));
        _clear(auction, 1, 0);
        _clear(_pool, 1, 0);
        VM.warp(calendar.gateClosesAt(DAY));
        _clear(auction, DAY, TICK);
        _clear(_pool, DAY, TICK);
        for (uint256 n = 0; n < _pools.length; ++n) {
            _clear(_pools[n], DAY, TICK);
        }
        _clearResidual(report);
        _tradeIntraday();
        _takeOut();
        VM.warp(calendar.meteringDeadline(1));
        _read(DAY, _read(1, 0));
        _settle(1, 1_000);
        require(accounts.accountOf(uint32(FIRST_PARTICIPANT + WORST)).arrears > 0, "in default");
        VM.warp(calendar.meteringDeadline(DAY));
        readings.close(DAY, 1_000);
        _letOthersDefault();
        settlement.settle(DAY, FIRST_PARTICIPANT - 1);
        // One that burns all it is given is met beside all the others.
        _faulty.become(Fault.BurnsGas, uint32(FIRST_PARTICIPANT + WORST));
        settlement.settle{gas: GAS_OF_TRANSACTION}(DAY, 1);
        require(schedule.isVoid(_faulty, DAY) && settlement.nextMember(DAY) == 1, "void");
        settlement.settle(DAY, FIRST_PARTICIPANT - 1);
        _requireWithinShare(auction);
        _requireWithinShare(_pool);
        _requireWithinShare(residual);
        _requireWithinShare(_intraday);
        _requireWithinShare(_bilateral);
        settlement.settle(DAY, 1);
        gas = VM.lastCallGas().gasTotalUsed;
        require(_bilateral.contractsOf(uint32(FIRST_PARTICIPANT + WORST)).length == CONTRACTS, "all were delivered");
        for (uint256 n = 0; n < CONTRACTS; ++n) {
            require(accounts.accountOf(uint32(FIRST_PARTICIPANT + DESK + 1 + n)).arrears > 0, "still in arrears");
        }
        settlement.settle(DAY, 1_000);
        require(settlement.isSettled(DAY), "settled");
    }

    /// No market needs for the worst member what it is given.
    function _requireWithinShare(IMarket market) private {
        uint256 gas = 0;
        try this.bookWorst(market) {}
        catch (bytes memory reason) {
            gas = uint256(bytes32(reason));
        }
        if (gas > _mostOfMarket) _mostOfMarket = gas;
        // A tenth more for what the schedule does with the answer.
        require(gas > 0 && gas + gas / 10 < WorstDay.GAS_OF_MARKET, string.concat("a market: ", VM.toString(gas)));
    }

    /// Reverts with the gas of booking, so that nothing has happened.
    function bookWorst(IMarket market) external {
        VM.prank(address(schedule));
        uint256 used = gasleft();
        market.book(DAY, uint32(FIRST_PARTICIPANT + WORST), 1);
        used -= gasleft();
        assembly {
            mstore(0, used)
            revert(0, 32)
        }
    }

    function _settle(uint32 day, uint256 count) private {
        readings.close(day, count);
        settlement.settle(day, count);
        require(settlement.isSettled(day), "settled");
    }

    /// Whoever has the other side of a contract owes more than that frees of its collateral, and more than it receives.
    function _letOthersDefault() private {
        _grant(12, address(accounts), IAccounts.post.selector, address(this));
        Posting[] memory postings = new Posting[](CONTRACTS + 1);
        int256 owed = 0;
        for (uint256 n = 0; n < CONTRACTS; ++n) {
            uint32 id = uint32(FIRST_PARTICIPANT + DESK + 1 + n);
            int128 due = accounts.accountOf(id).free + 1e15;
            postings[n] = Posting(id, -due, 0);
            owed += due;
        }
        postings[CONTRACTS] = Posting(OPERATOR, int128(owed), 0);
        accounts.post(postings);
    }

    /// Whatever is not locked.
    function _takeOut() private {
        address account = VM.addr(_key(WORST));
        Account memory a = accounts.accountOf(uint32(FIRST_PARTICIPANT + WORST));
        Withdrawal memory w = Withdrawal(account, Money.wrap(uint128(a.free)), true, 1);
        bytes32 typehash = keccak256("Withdrawal(address account,uint128 amount,bool toBank,uint40 sequence)");
        bytes32 message = keccak256(abi.encode(typehash, w));
        accounts.redeem(w, _sign(_key(WORST), _domain(address(accounts)), message), bytes32("out"));
    }

    /// A line with the same order in each period, of a side in turn.
    function _line(uint256 energy, bool isMirrored) private pure returns (bytes32) {
        uint256 word = Strips.withDay(0, DAY);
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            word |= Book.encode((k % 2 == 1) != isMirrored, TICK, energy) << (k * Strips.LANE_BITS);
        }
        return bytes32(word);
    }

    function _lines(uint256 layers, uint256 energy, bool isMirrored) private view returns (bytes32[] memory lines) {
        lines = new bytes32[](layers * _periods / Strips.LANES);
        for (uint256 n = 0; n < lines.length; ++n) {
            lines[n] = _line(energy, isMirrored);
        }
    }

    /// The worst member in all layers; half of what it wants comes from another.
    function _order(ICallAuction market) private {
        bool isPool = address(market) == address(_pool);
        uint16 brokered = uint16(Orders.BROKERED_LAYER * _periods / Strips.LANES);
        bytes32[] memory lines = _lines(_layers, ENERGY, false);
        VM.prank(VM.addr(_key(WORST)));
        market.enterOwn(DAY, isPool ? brokered : 0, 1, lines);
        if (!isPool) {
            OrderSheet memory sheet = OrderSheet(VM.addr(_key(WORST)), DAY, brokered, 1, lines);
            market.enter(_signSheet(_key(BROKER), _domain(address(market)), sheet));
        }
        lines = _lines(1, _layers * ENERGY * (isPool ? 1 : 2) / 2, true);
        VM.prank(VM.addr(_key(isPool ? BROKER : OTHER)));
        market.enterOwn(DAY, 0, 1, lines);
    }

    function _clear(ICallAuction market, uint32 day, uint16 tick) private {
        uint16[6] memory pivots = [tick, tick, tick, tick, tick, tick];
        for (uint8 s = 0; s < _periods / Strips.LANES; ++s) {
            market.clear(day, s, pivots, 10_000);
        }
        require(market.isCleared(day), "cleared");
    }

    /// The desk will import and export less than what is left, at the very limits.
    function _commit() private returns (WholesaleReport memory r) {
        uint256 strips = _periods / Strips.LANES;
        r = WholesaleReport(
            VM.addr(_key(DESK)),
            DAY,
            new bytes32[](strips),
            new bytes32[](strips),
            new bytes32[](strips),
            bytes32("salt")
        );
        uint256 prices = Strips.withDay(0, DAY);
        uint256 imports = prices;
        uint256 exports = prices;
        for (uint256 k = 0; k < Strips.LANES; ++k) {
            uint256 shift = k * Strips.LANE_BITS;
            // The margin is 300 units/Wh, the limits 10,000.
            uint256 price = k % 2 == 0 ? 9_700 : 10_300;
            prices |= ((uint256(1_000) << 20) | ((1 << 19) + price)) << shift;
            if (k % 2 == 0) imports |= (uint256(_layers) * 3) << shift;
            else exports |= (uint256(_layers) * 3) << shift;
        }
        for (uint256 s = 0; s < strips; ++s) {
            (r.prices[s], r.imports[s], r.exports[s]) = (bytes32(prices), bytes32(imports), bytes32(exports));
        }
        bytes32 typehash = keccak256(
            "WholesaleReport(address desk,uint32 day,bytes32[] prices,bytes32[] imports,bytes32[] exports,bytes32 salt)"
        );
        bytes32 hash = keccak256(
            abi.encode(
                typehash,
                r.desk,
                r.day,
                keccak256(abi.encodePacked(r.prices)),
                keccak256(abi.encodePacked(r.imports)),
                keccak256(abi.encodePacked(r.exports)),
                r.salt
            )
        );
        WholesaleCommitment memory c = WholesaleCommitment(r.desk, DAY, hash);
        typehash = keccak256("WholesaleCommitment(address desk,uint32 day,bytes32 report)");
        desk.commit(c, _sign(_key(DESK), _domain(address(desk)), keccak256(abi.encode(typehash, c))));
    }

    function _clearResidual(WholesaleReport memory report) private {
        residual.report(report);
        uint16[6] memory ticks = [TICK, TICK, TICK, TICK, TICK, TICK];
        for (uint8 s = 0; s < _periods / Strips.LANES; ++s) {
            residual.clear(DAY, s, ticks, ticks, 10_000);
        }
        require(residual.isCleared(DAY), "residual cleared");
    }

    function _tradeIntraday() private {
        for (uint256 n = 0; n < 2; ++n) {
            VM.prank(VM.addr(_key(n == 0 ? WORST : OTHER)));
            _intraday.fund(DAY, Money.wrap(1e13));
        }
        for (uint16 slot = 0; slot < _periods; ++slot) {
            VM.prank(VM.addr(_key(WORST)));
            _intraday.place(DAY, slot, true, TICK, 2, 0);
            VM.prank(VM.addr(_key(OTHER)));
            _intraday.place(DAY, slot, false, TICK, 2, 1);
        }
        require(_intraday.accountOf(uint32(FIRST_PARTICIPANT), DAY).traded == 2 * uint256(_periods), "traded");
    }

    /// As many contracts as a member may have, each for all periods of five days of the ring, the last of which is the last that
    /// collateral covers: whatever is asked about them, each day is looked at.
    function _conclude() private {
        bytes32 domain = _domain(address(_bilateral));
        bytes32 typehash = keccak256(
            "Proposal(address proposer,address counterparty,bool isSale,int32 price,uint64 energy,uint32 firstPeriod,uint32 lastPeriod,uint96 slots,uint8 weekdays,uint64 expiry,bytes32 answers,bytes32 salt)"
        );
        address worst = VM.addr(_key(WORST));
        for (uint256 n = 0; n < CONTRACTS; ++n) {
            Proposal memory p = Proposal({
                proposer: VM.addr(_key(DESK + 1 + n)),
                counterparty: worst,
                isSale: n % 2 == 0,
                price: SignedPrice.wrap(12_345),
                energy: Energy.wrap(uint64(1 + n % 3)),
                firstPeriod: 0,
                lastPeriod: uint32(_periods) * 8 - 1,
                slots: uint96((uint256(1) << _periods) - 1),
                // Days 1, 2, 3, 7 and 8.
                weekdays: 71,
                expiry: type(uint64).max,
                answers: bytes32(0),
                salt: bytes32(n)
            });
            bytes32 message = keccak256(abi.encode(typehash, p));
            bytes32 acceptance =
                keccak256(abi.encode(keccak256("Acceptance(bytes32 proposal,uint64 expiry)"), message, p.expiry));
            _bilateral.conclude(
                p, _sign(_key(DESK + 1 + n), domain, message), worst, p.expiry, _sign(_key(WORST), domain, acceptance)
            );
        }
    }

    /// Takes much where it sold, and gives much where it bought; and takes more than it gives.
    /// @return both registers at the end of the day.
    function _read(uint32 day, uint256 both) private returns (uint256) {
        bytes memory registers = new bytes(16 * (uint256(_periods) + 1));
        for (uint256 n = 0; n <= _periods; ++n) {
            if (n > 0) both += n % 2 == 1 ? 2_000 : uint256(6_000) << 64;
            uint256 reading = both;
            assembly ("memory-safe") {
                let at := add(add(registers, 32), mul(n, 16))
                mstore(at, or(shl(128, reading), and(mload(at), sub(shl(128, 1), 1))))
            }
        }
        ReadingSheet memory sheet = ReadingSheet(VM.addr(_meterKey(WORST)), day, 0, 1, registers, 0);
        readings.enter(_signReadings(_meterKey(WORST), _domain(address(readings)), sheet));
        return both;
    }
}
