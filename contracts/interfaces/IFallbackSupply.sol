// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Fallback supply
/// @notice Tariffs at which the fallback supplier sells (buy) and buys (sell) what the area's members did not contract
/// (rule 11).
interface IFallbackSupply {
    /// The tariffs of a day, in place of any published before.
    /// @param words a word a strip, six tariffs each (Strips.sol): buy in bits 39..20 of a lane, sell in bits 19..0,
    /// units/Wh (10^-8 currency per Wh) above the market's lowest price (PriceScale.sol).
    event TariffsPublished(uint32 indexed day, uint256[] words);

    /// The day's day-ahead auction has opened; its tariffs stand.
    /// @param dueAt unix time at which it opened.
    error TooLateToPublish(uint256 day, uint256 dueAt, uint256 time);

    /// Tariffs are taken for days up to the next whose day-ahead auction opens.
    /// @param latest that day.
    error TooEarlyToPublish(uint256 day, uint256 latest);

    /// There is one word a strip.
    /// @param given words given.
    /// @param expected strips of a day.
    error WrongStripCount(uint256 given, uint256 expected);

    /// A word carries another day.
    /// @param day day in the word, bits 255..240.
    /// @param expected day that the tariffs are for.
    error WrongTariffDay(uint256 strip, uint256 day, uint256 expected);

    /// Buy must be at least sell, and both within what the rules of the day allow.
    /// @param buy at which the supplier would sell, units/Wh.
    /// @param sell at which it would buy, units/Wh.
    /// @param minSell lowest price at which it may buy, units/Wh.
    /// @param maxBuy highest price it may ask for, units/Wh.
    error TariffOutOfRange(uint256 slot, int256 buy, int256 sell, int256 minSell, int256 maxBuy);

    /// @notice Publishes, or replaces, the tariffs of a day before its day-ahead auction opens.
    function publish(uint32 day, uint256[] calldata words) external;

    /// @return words of the day as published; the standing tariff of the rules if none was.
    function tariffsOf(uint256 day) external view returns (uint256[] memory words);
}
