// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {IAccounts} from "../../contracts/interfaces/IAccounts.sol";
import {IBalancingFund} from "../../contracts/interfaces/IBalancingFund.sol";
import {ICallAuction} from "../../contracts/interfaces/ICallAuction.sol";
import {OrderSheet, SignedSheet} from "../../contracts/interfaces/IOrderSheets.sol";
import {IFallbackSupply} from "../../contracts/interfaces/IFallbackSupply.sol";
import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {IMarketRules, ImbalancePricing, Rules} from "../../contracts/interfaces/IMarketRules.sol";
import {IMeterReadings, ReadingSheet, SignedReadings} from "../../contracts/interfaces/IMeterReadings.sol";
import {IMeters} from "../../contracts/interfaces/IMeters.sol";
import {Application, IParticipantRegistry} from "../../contracts/interfaces/IParticipantRegistry.sol";
import {ISchedule} from "../../contracts/interfaces/ISchedule.sol";
import {ISettlement} from "../../contracts/interfaces/ISettlement.sol";
import {IShortfalls} from "../../contracts/interfaces/IShortfalls.sol";
import {IWholesaleDesk} from "../../contracts/interfaces/IWholesaleDesk.sol";
import {IWholesaleResidual} from "../../contracts/interfaces/IWholesaleResidual.sol";
import {CalendarParameters} from "../../contracts/types/Calendar.sol";
import {FALLBACK_SUPPLIER, FIRST_PARTICIPANT, Kind} from "../../contracts/types/Members.sol";
import {Energy, Money, Price, PriceRange, SignedPrice} from "../../contracts/types/Units.sol";
import {VM, deploy} from "./Vm.sol";

/// The whole market, deployed and with the roles of dem/deployment/plan.py; the test is admin and holds all roles of people.
/// Contracts come from their artifacts, so that the tests need not compile them again.
abstract contract Market {
    uint64 internal constant OPENING = 1_800_000_000;
    uint256 internal constant BOUNDARY_KEY = 99;

    IAccessManager internal authority;
    IParticipantRegistry internal registry;
    IAccounts internal accounts;
    IMarketRules internal rules;
    ICallAuction internal auction;
    address internal gridLimits;
    ISchedule internal schedule;
    IMeters internal meters;
    IMeterReadings internal readings;
    IFallbackSupply internal fallbackSupply;
    ISettlement internal settlement;
    IShortfalls internal shortfalls;
    IWholesaleDesk internal desk;
    IWholesaleResidual internal residual;
    IBalancingFund internal fund;

    // -------------------------------------------------------------------------------------------------- deployment

    /// Quarter-hours; opens two days ahead, gate at noon of the day before.
    function _calendar() internal view virtual returns (CalendarParameters memory) {
        return CalendarParameters({
            opening: OPENING,
            periodLength: 900,
            periodsPerDay: 96,
            openLead: 2 days,
            gateLead: 12 hours,
            meteringLag: 1 days,
            correctionLag: 2 days
        });
    }

    /// From -1.000 to 3.095 currency/kWh: a price of zero is tick 1,000.
    function _prices() internal pure returns (PriceRange memory) {
        return PriceRange({lowest: -100_000, tick: 100});
    }

    function _rules() internal view virtual returns (Rules memory) {
        return Rules({
            platformFee: Price.wrap(50),
            networkFee: Price.wrap(200),
            deviationRate: Price.wrap(1_000),
            standingBuy: SignedPrice.wrap(30_000),
            standingSell: SignedPrice.wrap(8_000),
            maxBuy: SignedPrice.wrap(60_000),
            minSell: SignedPrice.wrap(0),
            commissionCap: Price.wrap(500),
            toleranceFixed: Energy.wrap(10),
            toleranceShare: 500,
            minOrderEnergy: Energy.wrap(1),
            maxLayers: 4,
            imbalancePricing: ImbalancePricing.TwoPrice,
            chargeHelpful: false,
            boundaryMargin: Energy.wrap(1_000_000_000),
            wholesaleMargin: Price.wrap(300),
            penaltyCap: Price.wrap(5_000),
            premiumRate: Price.wrap(2_000),
            rewardShare: 2_500
        });
    }

    function _deploy() internal {
        VM.warp(OPENING - 5 days);
        CalendarParameters memory c = _calendar();
        address a = deploy("Authority", abi.encode(address(this)));
        authority = IAccessManager(a);
        registry = IParticipantRegistry(
            deploy(
                "ParticipantRegistry", abi.encode(a, c, VM.addr(93), VM.addr(94), VM.addr(95), VM.addr(BOUNDARY_KEY))
            )
        );
        accounts = IAccounts(deploy("Accounts", abi.encode(a, c, registry)));
        rules = IMarketRules(deploy("MarketRules", abi.encode(a, c, _prices(), _rules())));
        schedule = ISchedule(deploy("Schedule", abi.encode(a, c, rules, accounts)));
        gridLimits = deploy("GridLimits", abi.encode(a, c, 0, rules));
        auction = _deployAuction(address(registry));
        desk = IWholesaleDesk(deploy("WholesaleDesk", abi.encode(a, c, registry, rules)));
        residual = IWholesaleResidual(
            deploy("WholesaleResidual", abi.encode(a, c, 6 hours, registry, rules, schedule, auction, accounts, desk))
        );
        meters = IMeters(deploy("Meters", abi.encode(a, c, registry)));
        readings = IMeterReadings(deploy("MeterReadings", abi.encode(a, c, registry, meters, rules, residual)));
        fallbackSupply = IFallbackSupply(deploy("FallbackSupply", abi.encode(a, c, rules)));
        shortfalls = IShortfalls(deploy("Shortfalls", abi.encode(a, accounts)));
        settlement = ISettlement(
            deploy(
                "Settlement",
                abi.encode(c, rules, accounts, schedule, auction, readings, fallbackSupply, residual, shortfalls)
            )
        );
        fund = IBalancingFund(deploy("BalancingFund", abi.encode(rules, accounts, settlement)));
        _grant(1, address(registry), IParticipantRegistry.admit.selector, address(this));
        _grant(2, address(accounts), IAccounts.deposit.selector, address(this));
        _grant(3, address(accounts), IAccounts.setCreditLimit.selector, address(this));
        _grant(3, address(schedule), ISchedule.addMarket.selector, address(this));
        _grant(3, address(schedule), ISchedule.retireMarket.selector, address(this));
        _grant(4, address(fallbackSupply), IFallbackSupply.publish.selector, address(this));
        _grant(10, address(auction), IMarket.book.selector, address(schedule));
        _grant(10, address(accounts), IAccounts.admitMarket.selector, address(schedule));
        _grant(10, address(accounts), IAccounts.releaseHeld.selector, address(schedule));
        _grant(10, address(accounts), IAccounts.dismissMarket.selector, address(schedule));
        _grant(10, address(residual), IMarket.book.selector, address(schedule));
        _grant(17, address(accounts), IAccounts.prepareRelease.selector, address(schedule));
        _grant(11, address(accounts), IAccounts.postDay.selector, address(settlement));
        _grant(11, address(accounts), IAccounts.hold.selector, address(settlement));
        _grant(11, address(shortfalls), IShortfalls.setAsideFirst.selector, address(settlement));
        _grant(11, address(shortfalls), IShortfalls.reopen.selector, address(settlement));
        _grant(11, address(shortfalls), IShortfalls.restore.selector, address(settlement));
        _grant(12, address(accounts), IAccounts.post.selector, address(fund));
        _grant(18, address(registry), IParticipantRegistry.setSilent.selector, address(readings));
        _grant(18, address(meters), IMeters.beginAccount.selector, address(readings));
        _grant(18, address(meters), IMeters.addUnbilled.selector, address(readings));
        _grant(18, address(meters), IMeters.noteEstimated.selector, address(readings));
        _grant(11, address(schedule), ISchedule.collect.selector, address(settlement));
        _grant(11, address(schedule), ISchedule.voidLate.selector, address(settlement));
        _grant(3, address(schedule), ISchedule.releaseHeld.selector, address(this));
        _grant(11, address(rules), IMarketRules.markFinal.selector, address(settlement));
        _grant(11, address(rules), IMarketRules.markInSettlement.selector, address(settlement));
        schedule.addMarket(auction, 1);
        accounts.setCreditLimit(FALLBACK_SUPPLIER, Money.wrap(1e20));
    }

    function _deployAuction(address traders) internal returns (ICallAuction) {
        bytes memory arguments = abi.encode(authority, _calendar(), traders, rules, accounts, schedule, gridLimits);
        return ICallAuction(deploy("CallAuction", arguments));
    }

    function _grant(uint64 role, address target, bytes4 selector, address holder) internal {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = selector;
        authority.setTargetFunctionRole(target, selectors, role);
        authority.grantRole(role, holder, 0);
    }

    // ----------------------------------------------------------------------------------------------------- members

    /// Key of a participant's account, counted from 0.
    function _key(uint256 i) internal pure returns (uint256) {
        return 1_000 + i;
    }

    function _meterKey(uint256 i) internal pure returns (uint256) {
        return 1_000_000 + i;
    }

    /// Admits participants, by their signed applications, and gives each a deposit.
    function _admit(uint256 members, uint128 deposit) internal {
        for (uint256 i = 0; i < members; ++i) {
            _admitOne(i, Kind.Prosumer, deposit);
        }
    }

    function _admitOne(uint256 i, Kind kind, uint128 deposit) internal {
        address account = VM.addr(_key(i));
        Application memory a = Application({
            account: account,
            meter: VM.addr(_meterKey(i)),
            kind: kind,
            importCapacity: 10_000,
            exportCapacity: 10_000,
            feeder: bytes32(i % 7),
            documents: keccak256(abi.encode(i))
        });
        bytes32 typehash = keccak256(
            "Application(address account,address meter,uint8 kind,uint40 importCapacity,uint40 exportCapacity,bytes32 feeder,bytes32 documents)"
        );
        registry.applyFor(a, _sign(_key(i), _domain(address(registry)), keccak256(abi.encode(typehash, a))));
        require(registry.admit(account, registry.applicationOf(account)) == FIRST_PARTICIPANT + i, "number");
        accounts.deposit(account, Money.wrap(deposit), bytes32(i + 1));
    }

    // --------------------------------------------------------------------------------------------- signed messages

    function _signSheet(uint256 key, bytes32 domain, OrderSheet memory s) internal pure returns (SignedSheet memory) {
        bytes32 typehash =
            keccak256("OrderSheet(address participant,uint32 day,uint16 firstLine,uint40 sequence,bytes32[] lines)");
        bytes32 message = keccak256(
            abi.encode(typehash, s.participant, s.day, s.firstLine, s.sequence, keccak256(abi.encodePacked(s.lines)))
        );
        (bytes32 r, bytes32 vs) = _signCompactly(key, domain, message);
        return SignedSheet(s, r, vs);
    }

    function _signReadings(uint256 key, bytes32 domain, ReadingSheet memory s)
        internal
        pure
        returns (SignedReadings memory)
    {
        bytes32 typehash = keccak256(
            "ReadingSheet(address meter,uint32 day,uint8 firstStrip,uint40 sequence,bytes registers,uint96 substituted)"
        );
        bytes32 message = keccak256(
            abi.encode(typehash, s.meter, s.day, s.firstStrip, s.sequence, keccak256(s.registers), s.substituted)
        );
        (bytes32 r, bytes32 vs) = _signCompactly(key, domain, message);
        return SignedReadings(s, r, vs);
    }

    function _domain(address verifier) internal view returns (bytes32) {
        bytes32 typehash =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        return keccak256(abi.encode(typehash, keccak256("DEM"), keccak256("1"), block.chainid, verifier));
    }

    function _sign(uint256 key, bytes32 domain, bytes32 message) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, _digest(domain, message));
        return abi.encodePacked(r, s, v);
    }

    /// EIP-2098
    function _signCompactly(uint256 key, bytes32 domain, bytes32 message) private pure returns (bytes32 r, bytes32 vs) {
        uint8 v;
        (v, r, vs) = VM.sign(key, _digest(domain, message));
        vs |= bytes32(uint256(v - 27) << 255);
    }

    function _digest(bytes32 domain, bytes32 message) private pure returns (bytes32) {
        return keccak256(abi.encodePacked("\x19\x01", domain, message));
    }
}
