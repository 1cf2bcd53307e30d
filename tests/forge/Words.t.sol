// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Groups} from "../../contracts/libraries/Groups.sol";
import {Quads} from "../../contracts/libraries/Quads.sol";
import {UniformPrice} from "../../contracts/libraries/UniformPrice.sol";
import {Sheet, Sheets} from "../../contracts/market/auction/Sheets.sol";
import {Residual} from "../../contracts/market/wholesale/Residual.sol";
import {Orders} from "../../contracts/types/Orders.sol";
import {Ring} from "../../contracts/types/Ring.sol";
import {SigningDomain} from "../../contracts/types/SigningDomain.sol";
import {Strips} from "../../contracts/types/Strips.sol";
import {Tariffs} from "../../contracts/types/Tariffs.sol";
import {MAX_TICK, Price} from "../../contracts/types/Units.sol";
import {bound} from "./Vm.sol";

contract OrdersTest {
    function test_an_order_comes_back_from_its_lane(bool isAsk, uint16 tick, uint32 energy, uint8 lane, uint256 others)
        external
        pure
    {
        tick = uint16(bound(tick, 0, MAX_TICK));
        energy = uint32(bound(energy, 1, Orders.ENERGY_MASK));
        uint256 order = ((isAsk ? uint256(1) : 0) << 39) | (uint256(tick) << 27) | energy;
        uint256 k = lane % Strips.LANES;
        uint256 word = (others & ~(Strips.LANE_MASK << (40 * k))) | (order << (40 * k));
        order = Strips.lane(word, k);
        require(Orders.isAsk(order) == isAsk, "side");
        require(Orders.tick(order) == tick, "tick");
        require(Orders.energy(order) == energy, "energy");
    }

    function test_limits() external pure {
        require(Orders.tick(type(uint40).max) == MAX_TICK, "highest tick");
        require(Orders.energy(type(uint40).max) == (1 << 27) - 1, "largest order");
        require(!Orders.isAsk(0) && Orders.isAsk(1 << 39), "side");
    }
}

contract SheetsTest {
    function test_a_sheet_comes_back(
        uint16 day,
        uint40 sequence,
        uint8 layers,
        uint8 brokered,
        uint104 terms,
        uint80 locked
    ) external pure {
        uint256 word = Sheets.pack(Sheet(day, sequence, layers, brokered, terms, locked));
        require(Strips.dayOf(word) == day, "the day as in a strip");
        Sheet memory s = Sheets.unpack(word);
        require(s.day == day && s.sequence == sequence && s.layers == layers, "day, sequence, layers");
        require(s.brokered == brokered, "the intermediary's layers");
        require(s.terms == terms && s.locked == locked, "terms, locked");
    }

    function test_a_days_terms_come_back(
        uint256 fees,
        uint256 ceiling,
        uint256 commission,
        uint256 minEnergy,
        uint256 maxLayers
    ) external pure {
        fees = bound(fees, 0, (1 << 22) - 1);
        ceiling = bound(ceiling, 0, (1 << 22) - 1);
        commission = bound(commission, 0, (1 << 20) - 1);
        minEnergy = bound(minEnergy, 0, (1 << 28) - 1);
        maxLayers = bound(maxLayers, 0, (1 << 11) - 1);
        uint256 terms = Sheets.packTerms(fees, ceiling, minEnergy, maxLayers);
        require(Sheets.commission(terms) == 0, "a member's own orders");
        terms = Sheets.withCommission(terms, commission);
        require(Sheets.commission(terms) == commission, "commission");
        require(terms < 1 << 104, "104 bits");
        require(Sheets.extra(terms) == fees && Sheets.ceiling(terms) == ceiling, "fees, ceiling");
        require(Sheets.minEnergy(terms) == minEnergy && Sheets.maxLayers(terms) == maxLayers, "energy, layers");
        require(!Sheets.isLimited(terms), "no limits");
        uint256 limited = Sheets.withLimits(terms);
        require(Sheets.isLimited(limited) && limited < 1 << 104, "limited");
        require(Sheets.minEnergy(limited) == minEnergy && Sheets.maxLayers(limited) == maxLayers, "the rest as before");
    }
}

contract TariffsTest {
    function test_a_tariff_comes_back(uint256 buy, uint256 sell) external pure {
        buy = bound(buy, 0, (1 << 20) - 1);
        sell = bound(sell, 0, (1 << 20) - 1);
        uint256 lane = Tariffs.pack(buy, sell);
        require(lane <= Strips.LANE_MASK, "40 bits");
        (uint256 b, uint256 s) = Tariffs.unpack(lane);
        require(b == buy && s == sell, "tariff");
    }

    function test_a_lane_comes_back(uint40 lane) external pure {
        (uint256 buy, uint256 sell) = Tariffs.unpack(lane);
        require(Tariffs.pack(buy, sell) == lane, "lane");
    }
}

contract UnitsTest {
    function plusPrice(Price a, Price b) external pure returns (Price) {
        return a + b;
    }

    function test_prices_add_up_or_revert(uint32 a, uint32 b) external view {
        (bool ok, bytes memory sum) =
            address(this).staticcall(abi.encodeCall(this.plusPrice, (Price.wrap(a), Price.wrap(b))));
        bool fits = uint256(a) + b <= type(uint32).max;
        require(ok == fits, "reverts only beyond 32 bits");
        if (fits) require(abi.decode(sum, (uint256)) == uint256(a) + b, "price");
    }
}

contract OutcomesTest {
    function test_an_outcome_is_read_field_by_field_as_it_was_packed(
        uint16 price,
        uint8 side,
        uint64 volume,
        uint64 share,
        uint64 marginal
    ) external pure {
        UniformPrice.Rationed rationed = UniformPrice.Rationed(side % 3);
        uint256 word = UniformPrice.pack(UniformPrice.Outcome(price, rationed, volume, share, marginal));
        UniformPrice.Outcome memory o = UniformPrice.unpack(word);
        require(o.price == price && o.rationed == rationed && o.volume == volume, "price, side, volume");
        require(o.share == share && o.marginal == marginal, "share, marginal");
        require(UniformPrice.priceOf(word) == price, "price");
        require(UniformPrice.shareOf(word) == share && UniformPrice.marginalOf(word) == marginal, "the margin");
        require(UniformPrice.isRationed(word, false) == (rationed == UniformPrice.Rationed.Bids), "bids");
        require(UniformPrice.isRationed(word, true) == (rationed == UniformPrice.Rationed.Asks), "asks");
    }

    function test_so_is_one_of_the_residual_market(
        uint16 tick,
        int24 price,
        uint64 volume,
        uint64 share,
        uint64 marginal
    ) external pure {
        Residual.Direction direction = Residual.Direction.Export;
        uint256 word = Residual.pack(Residual.Outcome(direction, tick, price, volume, share, marginal));
        Residual.Outcome memory o = Residual.unpack(word);
        require(o.direction == direction && o.tick == tick && o.price == price, "direction, tick, price");
        require(o.volume == volume && o.share == share && o.marginal == marginal, "volume, share, marginal");
        require(Residual.tickOf(word) == tick, "tick");
        require(Residual.shareOf(word) == share && Residual.marginalOf(word) == marginal, "the margin");
    }
}

contract QuadsTest {
    function test_four_sums_come_back(uint64[4] calldata sums) external pure {
        uint256 packed = Quads.pack(sums[0], sums[1], sums[2], sums[3]);
        uint256 pushed = 0;
        for (uint256 n = 4; n > 0; --n) {
            require(Quads.at(packed, n - 1) == sums[n - 1], "the sum");
            pushed = Quads.push(pushed, sums[n - 1]);
        }
        require(pushed == packed, "pushed from the last on");
    }
}

contract GroupsTest {
    function test_members_are_marked_for_a_day(uint32 id, uint32 other, uint16 day, uint16 before) external pure {
        day = uint16(bound(day, 2, Strips.MAX_DAY));
        before = uint16(bound(before, 1, day - 1));
        uint256 group = Groups.numberOf(id);
        other = uint32(group * Groups.SIZE + other % Groups.SIZE);
        uint256 word = Groups.mark(Groups.mark(0, before, other), day, id);
        require(Groups.membersOf(word, before) == 0, "the day before is forgotten");
        uint256 members = Groups.membersOf(word, day);
        require(Groups.has(members, id), "marked");
        require(Groups.has(members, other) == (other % Groups.SIZE == id % Groups.SIZE), "nobody else");
        require(Groups.mark(word, day, id) == word, "marked once");
    }
}

contract RingTest {
    /// Two records that lie in the ring at the same time have different keys.
    function test_keys_do_not_meet(uint32[2] calldata ids, uint16[2] calldata days_, uint16[2] calldata lines)
        external
        pure
    {
        bool isSameDay = days_[0] % 8 == days_[1] % 8;
        bool isSame = isSameDay && ids[0] == ids[1];
        require((Ring.memberKey(ids[0], days_[0]) == Ring.memberKey(ids[1], days_[1])) == isSame, "members");
        require((Ring.bookKey(days_[0], ids[0]) == Ring.bookKey(days_[1], ids[1])) == isSame, "books");
        bool isSameLine = lines[0] == lines[1];
        require(
            (Ring.lineKey(ids[0], days_[0], lines[0]) == Ring.lineKey(ids[1], days_[1], lines[1]))
                == (isSame && isSameLine),
            "lines"
        );
        require(
            (Ring.dayKey(days_[0], lines[0]) == Ring.dayKey(days_[1], lines[1])) == (isSameDay && isSameLine), "days"
        );
    }

    function test_members_follow_each_other(uint32 id, uint16 day, uint16 line) external pure {
        id = uint32(bound(id, 0, type(uint32).max - 1));
        require(Ring.lineKey(id, day, line) + Ring.NEXT_MEMBER == Ring.lineKey(id + 1, day, line), "the next member");
    }
}

contract SigningDomainTest is SigningDomain {
    function test_the_domain_told_is_the_one_signed_for() external view {
        (bytes1 fields, string memory name, string memory version, uint256 chainId, address verifier, bytes32 salt,) =
            this.eip712Domain();
        require(fields == hex"0f" && salt == 0, "name, version, chain and contract");
        bytes32 typehash =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 told =
            keccak256(abi.encode(typehash, keccak256(bytes(name)), keccak256(bytes(version)), chainId, verifier));
        require(told == _domainSeparatorV4(), "the separator");
    }
}
