// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Rules} from "../interfaces/IMarketRules.sol";
import {Price} from "../types/Units.sol";

/// @title Terms of a day
/// @notice What the rules of a day make an order cost at most: the same for every market (rule 5.4).
library DayTerms {
    /// @return what a member pays for every Wh that it trades, units/Wh.
    function fees(Rules memory rules) internal pure returns (uint256) {
        return Price.unwrap(rules.platformFee + rules.networkFee);
    }

    /// @return the most that replacing a Wh can cost a seller who does not deliver, units/Wh.
    function ceiling(Rules memory rules) internal pure returns (uint256) {
        return Price.unwrap(rules.maxBuy + rules.deviationRate) + fees(rules);
    }

    /// @param energy Wh, within 32 bits times the periods of a day.
    /// @param price units/Wh, within 32 bits, as the fees and the ceiling are.
    /// @return collateral of a buyer, money units: its payment and the fees.
    function buyerLocks(uint256 energy, uint256 price, uint256 fees_) internal pure returns (uint256) {
        unchecked {
            return energy * (price + fees_);
        }
    }

    /// @return collateral of a seller, money units: what replacing its energy may cost beyond the price.
    function sellerLocks(uint256 energy, uint256 price, uint256 ceiling_) internal pure returns (uint256) {
        unchecked {
            return ceiling_ > price ? energy * (ceiling_ - price) : 0;
        }
    }
}
