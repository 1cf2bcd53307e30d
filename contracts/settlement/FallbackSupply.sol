// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IFallbackSupply} from "../interfaces/IFallbackSupply.sol";
import {IMarketRules, Rules} from "../interfaces/IMarketRules.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {PriceScale} from "../types/PriceScale.sol";
import {Ring} from "../types/Ring.sol";
import {Strips} from "../types/Strips.sol";
import {Tariffs} from "../types/Tariffs.sol";
import {SignedPrice} from "../types/Units.sol";

/// @title Fallback supply
contract FallbackSupply is IFallbackSupply, AccessManaged, Calendar, PriceScale {
    IMarketRules private immutable RULES;

    mapping(uint256 key => uint256) private _words;

    constructor(address authority, CalendarParameters memory calendar_, IMarketRules rules)
        AccessManaged(authority)
        Calendar(calendar_)
        PriceScale(rules)
    {
        RULES = rules;
    }

    /// @inheritdoc IFallbackSupply
    function publish(uint32 day, uint256[] calldata words) external restricted {
        if (block.timestamp >= opensAt(day)) revert TooLateToPublish(day, opensAt(day), block.timestamp);
        // No rules can change any more for the next day to open, so what is within its limits now stays within them.
        uint256 latest = dayAt(block.timestamp + OPEN_LEAD) + 1;
        if (day > latest) revert TooEarlyToPublish(day, latest);
        if (words.length != STRIPS_PER_DAY) revert WrongStripCount(words.length, STRIPS_PER_DAY);
        RULES.requireRoom(day);
        Rules memory rules = RULES.rulesOf(day);
        (int256 least, int256 most) = (SignedPrice.unwrap(rules.minSell), SignedPrice.unwrap(rules.maxBuy));
        for (uint256 strip = 0; strip < words.length; ++strip) {
            uint256 word = words[strip];
            if (Strips.dayOf(word) != day) revert WrongTariffDay(strip, Strips.dayOf(word), day);
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                (uint256 packedBuy, uint256 packedSell) = Tariffs.unpack(Strips.lane(word, k));
                (int256 buy, int256 sell) = (int256(packedBuy) + LOWEST_PRICE, int256(packedSell) + LOWEST_PRICE);
                if (buy < sell || buy > most || sell < least) {
                    revert TariffOutOfRange(strip * Strips.LANES + k, buy, sell, least, most);
                }
            }
            _words[Ring.dayKey(day, strip)] = word;
        }
        emit TariffsPublished(day, words);
    }

    /// @inheritdoc IFallbackSupply
    function tariffsOf(uint256 day) external view returns (uint256[] memory words) {
        words = new uint256[](STRIPS_PER_DAY);
        Rules memory rules = RULES.rulesOf(day);
        uint256 standing = Tariffs.pack(
            _aboveLowest(SignedPrice.unwrap(rules.standingBuy)), _aboveLowest(SignedPrice.unwrap(rules.standingSell))
        );
        for (uint256 strip = 0; strip < STRIPS_PER_DAY; ++strip) {
            uint256 word = _words[Ring.dayKey(day, strip)];
            if (Strips.dayOf(word) != day) {
                word = Strips.withDay(0, day);
                for (uint256 k = 0; k < Strips.LANES; ++k) {
                    word |= standing << (k * Strips.LANE_BITS);
                }
            }
            words[strip] = word;
        }
    }
}
