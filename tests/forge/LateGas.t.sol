// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {IAccounts} from "../../contracts/interfaces/IAccounts.sol";
import {ILateReconciliation, LateReading, LateRecord} from "../../contracts/interfaces/ILateReconciliation.sol";
import {IMarketRules} from "../../contracts/interfaces/IMarketRules.sol";
import {Billing} from "../../contracts/libraries/Billing.sol";
import {Commitments} from "../../contracts/libraries/Commitments.sol";
import {Calendar} from "../../contracts/types/Calendar.sol";
import {FIRST_PARTICIPANT} from "../../contracts/types/Members.sol";
import {Strips} from "../../contracts/types/Strips.sol";
import {Tariffs} from "../../contracts/types/Tariffs.sol";
import {Money} from "../../contracts/types/Units.sol";
import {Market} from "./Market.sol";
import {VM, deploy} from "./Vm.sol";

/// What settling a member's day late costs: all 96 periods are corrected and charged, and the day has 2^20 members. At most, every
/// other strip is the supplier's besides, and there is a penalty in each period. The test stands where the settlement stands.
/// forge-config: default.isolate = true
contract LateGasTest is Market {
    uint256 private constant STRIPS = 16;
    uint256 private constant DEPTH = 20;

    mapping(uint256 day => bytes32) public commitmentOf;
    ILateReconciliation private _late;

    function test_a_member_day_settled_late_takes_at_most_400_000_gas() external {
        _reconcileTwice(false, 400_000);
    }

    function test_with_penalties_and_two_other_sides_it_takes_at_most_430_000_gas() external {
        _reconcileTwice(true, 430_000);
    }

    function _reconcileTwice(bool isDearest, uint256 limit) private {
        _deploy();
        _admit(1, 1e15);
        accounts.deposit(VM.addr(93), Money.wrap(1e15), keccak256("supplier"));
        accounts.deposit(VM.addr(95), Money.wrap(1e15), keccak256("grid operator"));
        bytes memory arguments =
            abi.encode(authority, _calendar(), registry, rules, accounts, meters, readings, address(this));
        _late = ILateReconciliation(deploy("LateReconciliation", arguments));
        _grant(12, address(accounts), IAccounts.post.selector, address(_late));
        _grant(11, address(rules), IMarketRules.markFinal.selector, address(this));
        VM.warp(Calendar(address(settlement)).startOf(5));
        rules.markFinal(1);

        uint256[] memory before = _lanes(400);
        LateRecord memory record =
            LateRecord(_lanes(1_000), before, Commitments.hashOf(before), _prices(isDearest), new bytes32[](DEPTH));
        _commit(record);
        _requireCheap(_reconcile(record, 1, _lanes(100)), limit);
        record.metered = _lanes(100);
        _requireCheap(_reconcile(record, 2, _lanes(300)), limit);
    }

    function _requireCheap(uint256 gas, uint256 limit) private pure {
        require(gas <= limit, string.concat("too dear: ", VM.toString(gas)));
    }

    function _commit(LateRecord memory record) private {
        bytes32 node = Commitments.leafOf(FIRST_PARTICIPANT, Commitments.hashOf(record.contracted), record.settled);
        for (uint256 i = 0; i < DEPTH; ++i) {
            record.proof[i] = keccak256(abi.encode(i));
            node = Hashes.commutativeKeccak256(node, record.proof[i]);
        }
        commitmentOf[1] = Commitments.commitmentTo(1, Commitments.hashOf(record.prices), node);
    }

    function _reconcile(LateRecord memory record, uint8 run, uint256[] memory net) private returns (uint256) {
        LateReading memory reading = LateReading(FIRST_PARTICIPANT, 1, run, abi.decode(abi.encode(net), (bytes32[])));
        bytes32 typehash = keccak256("LateReading(uint32 id,uint32 day,uint8 run,bytes32[] net)");
        bytes32 message = keccak256(
            abi.encode(typehash, reading.id, reading.day, reading.run, keccak256(abi.encodePacked(reading.net)))
        );
        bytes memory signature = _sign(_meterKey(0), _domain(address(_late)), message);
        _late.reconcile(reading, record, signature);
        return VM.lastCallGas().gasTotalUsed;
    }

    function _lanes(uint256 energy) private pure returns (uint256[] memory words) {
        words = new uint256[](STRIPS);
        for (uint256 s = 0; s < STRIPS; ++s) {
            words[s] = Strips.inAllLanes(Strips.BIAS + energy + s);
        }
    }

    /// Long everywhere, so that taking less is charged and costs the penalty.
    function _prices(bool isDearest) private pure returns (uint256[] memory words) {
        words = new uint256[](isDearest ? 2 * STRIPS : STRIPS);
        for (uint256 s = 0; s < STRIPS; ++s) {
            words[s] = Strips.inAllLanes(Tariffs.pack(120_000, 108_000 + s)) | (63 << Billing.LONG_AREA);
            if (!isDearest || s % 2 == 0) words[s] |= Billing.AT_BOUNDARY;
            if (isDearest) words[STRIPS + s] = Strips.inAllLanes(5_000);
        }
    }
}
