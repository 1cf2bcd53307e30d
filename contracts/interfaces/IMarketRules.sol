// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Energy, Price, PriceRange, SignedPrice} from "../types/Units.sol";

/// How imbalances are priced, see ImbalancePrice.sol.
enum ImbalancePricing {
    Single,
    TwoPrice,
    Tariff
}

/// Parameters of the market that the authority may change for days to come.
struct Rules {
    /// Fees per Wh traded, from buyer and seller each.
    Price platformFee;
    Price networkFee;
    /// Charge per Wh that was contracted and not kept, beyond the tolerance.
    Price deviationRate;
    /// Tariff of the fallback supplier for days it published none for.
    SignedPrice standingBuy;
    SignedPrice standingSell;
    /// Highest price the fallback supplier may ask for, not below zero.
    SignedPrice maxBuy;
    /// Lowest price at which it may buy, not above zero. Below zero it wants to be paid for taking energy.
    SignedPrice minSell;
    /// Highest commission an intermediary may ask for per Wh (rule 9).
    Price commissionCap;
    /// Imbalance free of charge: the larger of a fixed energy and a share (1/10,000) of what was contracted.
    Energy toleranceFixed;
    uint16 toleranceShare;
    /// Smallest order.
    Energy minOrderEnergy;
    /// Orders a participant may have for one period.
    uint16 maxLayers;
    ImbalancePricing imbalancePricing;
    /// Whether an imbalance that helped the area is charged as well.
    bool chargeHelpful;
    /// Difference between the boundary meter and the sum of the meters above which a period is flagged, Wh.
    Energy boundaryMargin;
    /// What the wholesale desk earns per Wh it exchanges, above the wholesale price of imports and below that of
    /// exports.
    Price wholesaleMargin;
    /// Highest penalty the desk may pass on per Wh of the area's imbalance.
    Price penaltyCap;
    /// Paid by the balancing fund per Wh that was sold back and helped the area.
    Price premiumRate;
    /// Share (1/10,000) of what the fund earned from a day that rewards net energy delivered as contracted.
    uint16 rewardShare;
}

/// @title Market rules
/// @notice Versions of the parameters, each with the first day it applies to (rule 13), the last day that is final, and
/// the one that is being settled.
interface IMarketRules {
    /// Rules are announced. They replace whatever was announced for that day and later.
    /// @param firstDay day from which they hold.
    /// @param rules all parameters, see Rules.
    event RulesChanged(uint32 indexed firstDay, Rules rules);

    /// The market is deployed with these prices, for good.
    /// @param lowest price that orders and tariffs can have, units/Wh.
    /// @param tick distance of the prices that orders can have, units/Wh.
    event PriceRangeSet(int32 lowest, uint32 tick);

    /// Nothing about the day can change any more.
    event DayFinal(uint32 indexed day);

    /// The parameter is outside of what the market can compute with.
    /// @param parameter its name in Rules.
    /// @param value what was announced.
    /// @param limit the lowest or highest value it breaks, in the unit of the parameter.
    error BadRule(string parameter, int256 value, int256 limit);

    /// The prices that orders could name are none the market can compute with.
    /// @param parameter its name in PriceRange; `highest` for the lowest price and 4,095 ticks.
    /// @param value units/Wh.
    /// @param limit the lowest or highest value it breaks, units/Wh.
    error BadPriceRange(string parameter, int256 value, int256 limit);

    /// Rules change only for days after the next one whose day-ahead auction opens.
    /// @param firstDay day from which they were to hold.
    /// @param earliest first day from which they may.
    error TooLateToChange(uint256 firstDay, uint256 earliest);

    /// Days become final one after the other.
    /// @param next day that becomes final next.
    error DayOutOfOrder(uint256 day, uint256 next);

    /// The storage of this day is still in use: the day is not final.
    /// @param day day that uses it, a ring of days before the one that asks.
    /// @param lastFinal last day that is final, 0 for none.
    error DayStillOpen(uint256 day, uint256 lastFinal);

    /// @notice Announces rules that apply from a day on, after the next one to open. They replace whatever was
    /// announced for that day and later.
    function announce(uint32 firstDay, Rules calldata rules) external;

    /// @notice Records that nothing about a day can change any more.
    function markFinal(uint32 day) external;

    /// @notice Records which day is being settled; 0 for none.
    function markInSettlement(uint32 day) external;

    /// @return the rules that apply to a day.
    function rulesOf(uint256 day) external view returns (Rules memory);

    /// @notice Reverts unless every day that used the same storage before is final.
    function requireRoom(uint256 day) external view;

    /// @return the prices that orders can name.
    function priceRange() external view returns (PriceRange memory);

    /// @return the last day that is final; 0 for none.
    function lastFinalDay() external view returns (uint32);

    /// @return the day whose settlement has begun and is not through; 0 for none.
    function dayInSettlement() external view returns (uint32);
}
