// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IFallbackSupply} from "../interfaces/IFallbackSupply.sol";
import {IMarketRules, Rules} from "../interfaces/IMarketRules.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {Ring} from "../types/Ring.sol";
import {Strips} from "../types/Strips.sol";
import {Tariffs} from "../types/Tariffs.sol";
import {Price} from "../types/Units.sol";

/// @title Fallback supply
contract FallbackSupply is IFallbackSupply, AccessManaged, Calendar {
    IMarketRules private immutable RULES;

    mapping(uint256 key => uint256) private _words;

    constructor(address authority, CalendarParameters memory calendar_, IMarketRules rules)
        AccessManaged(authority)
        Calendar(calendar_)
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
        uint256 maxBuy = Price.unwrap(RULES.rulesOf(day).maxBuy);
        for (uint256 strip = 0; strip < words.length; ++strip) {
            uint256 word = words[strip];
            if (Strips.dayOf(word) != day) revert WrongTariffDay(strip, Strips.dayOf(word), day);
            for (uint256 k = 0; k < Strips.LANES; ++k) {
                (uint256 buy, uint256 sell) = Tariffs.unpack(Strips.lane(word, k));
                if (buy < sell || buy > maxBuy) {
                    revert TariffOutOfRange(strip * Strips.LANES + k, buy, sell, maxBuy);
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
        uint256 standing = Tariffs.pack(Price.unwrap(rules.standingBuy), Price.unwrap(rules.standingSell));
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
