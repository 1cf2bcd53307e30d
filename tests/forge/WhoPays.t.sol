// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICallAuction} from "../../contracts/interfaces/ICallAuction.sol";
import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {Groups} from "../../contracts/libraries/Groups.sol";
import {Calendar} from "../../contracts/types/Calendar.sol";
import {FIRST_PARTICIPANT} from "../../contracts/types/Members.sol";
import {Strips} from "../../contracts/types/Strips.sol";
import {Book} from "./Book.sol";
import {Market} from "./Market.sol";
import {VM} from "./Vm.sol";

/// What somebody's orders, or a market without any, cost everybody else. Every call is a transaction of its own.
/// forge-config: default.isolate = true
contract WhoPaysTest is Market {
    uint256 private constant STRIPS = 16;
    uint256 private constant SMALL = 10;
    uint32 private constant DAY = 1;

    /// A member with an order in the last layer is in another group: clearing the first group costs a look beyond its own layer.
    function test_a_far_layer_is_paid_for_by_its_own_group() external {
        uint256 members = Groups.SIZE;
        uint256 far = members - 1;
        _deploy();
        _admit(members, 1e15);
        require(Groups.numberOf(FIRST_PARTICIPANT + far) == 1, "the last member is in the next group");
        VM.warp(Calendar(address(auction)).opensAt(DAY));
        for (uint256 i = 0; i < SMALL; ++i) {
            _order(auction, i, 0);
        }
        uint256 last = _rules().maxLayers - 1;
        // The far order is in the first strip only.
        _order(auction, far, last * STRIPS);
        VM.warp(Calendar(address(auction)).gateClosesAt(DAY));
        uint16[6] memory pivots;
        pivots[0] = 100;
        for (uint8 strip = 0; strip < 2; ++strip) {
            // All of the first group, and what tells that it has no more.
            auction.clear(DAY, strip, pivots, 2);
            require(auction.clearedStrips(DAY) & (1 << strip) == 0, "the next group is to come");
            auction.clear(DAY, strip, pivots, last + 1);
            require(auction.clearedStrips(DAY) & (1 << strip) != 0, "cleared");
        }
    }

    /// Markets that are plugged in, and that nobody orders in.
    function test_markets_without_orders_cost_a_settlement_next_to_nothing() external {
        uint256 pools = 15;
        uint256 alone = _gasOfSettling(0);
        uint256 beside = _gasOfSettling(pools);
        uint256 each = beside < alone ? 0 : (beside - alone) / pools;
        require(each <= 3_000, string.concat("a market: ", VM.toString(each)));
    }

    /// @return gas of the transactions that settle a day in which some order in the auction, and nobody in the pools.
    function _gasOfSettling(uint256 pools) private returns (uint256 gas) {
        _deploy();
        _admit(SMALL, 1e15);
        for (uint256 n = 0; n < pools; ++n) {
            ICallAuction pool = _deployAuction(address(registry));
            _grant(10, address(pool), IMarket.book.selector, address(schedule));
            schedule.addMarket(pool, 1);
        }
        VM.warp(Calendar(address(auction)).opensAt(DAY));
        for (uint256 i = 0; i < SMALL; ++i) {
            _order(auction, i, 0);
        }
        VM.warp(Calendar(address(auction)).gateClosesAt(DAY));
        uint16[6] memory pivots;
        pivots[0] = 100;
        for (uint8 strip = 0; strip < STRIPS; ++strip) {
            auction.clear(DAY, strip, pivots, 10);
        }
        VM.warp(Calendar(address(auction)).meteringDeadline(DAY));
        readings.close(DAY, 1_000);
        for (uint256 n = 0; n < 2; ++n) {
            settlement.settle(DAY, SMALL);
            gas += VM.lastCallGas().gasTotalUsed;
        }
        require(settlement.isSettled(DAY), "settled");
    }

    function _order(ICallAuction market, uint256 i, uint256 line) private {
        bytes32[] memory lines = new bytes32[](line == 0 ? STRIPS : 1);
        for (uint256 s = 0; s < lines.length; ++s) {
            lines[s] = bytes32(Strips.withDay(Book.encode(i % 2 == 0, 100, 200), DAY));
        }
        VM.prank(VM.addr(_key(i)));
        market.enterOwn(DAY, uint16(line), 1, lines);
    }
}
