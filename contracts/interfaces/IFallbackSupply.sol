// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Fallback supply
/// @notice Tariffs at which the fallback supplier sells (buy) and buys (sell) what the area's members did not contract (rule 11).
interface IFallbackSupply {
    /// Six tariffs a strip (Strips.sol): buy in bits 39..20 of a lane, sell in bits 19..0, units/Wh.
    event TariffsPublished(uint32 indexed day, uint256[] words);

    error TooLateToPublish(uint256 day, uint256 dueAt, uint256 time);
    /// Only for the next day whose day-ahead auction opens.
    error TooEarlyToPublish(uint256 day, uint256 latest);
    error WrongStripCount(uint256 given, uint256 expected);
    error WrongTariffDay(uint256 strip, uint256 day, uint256 expected);
    /// buy must be at least sell and at most the authority's limit, units/Wh.
    error TariffOutOfRange(uint256 slot, uint256 buy, uint256 sell, uint256 maxBuy);

    /// @notice Publishes, or replaces, the tariffs of a day before its day-ahead auction opens.
    function publish(uint32 day, uint256[] calldata words) external;

    /// @return words of the day as published; the standing tariff of the rules if none was.
    function tariffsOf(uint256 day) external view returns (uint256[] memory words);
}
