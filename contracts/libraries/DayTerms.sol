// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Rules} from "../interfaces/IMarketRules.sol";
import {Price, SignedPrice} from "../types/Units.sol";

/// @title Terms of a day
/// @notice What the rules of a day make an order cost at most: the same for every market (rule 5.4).
library DayTerms {
    /// @return what a member pays for every Wh that it trades, units/Wh.
    function fees(Rules memory rules) internal pure returns (uint256) {
        return Price.unwrap(rules.platformFee + rules.networkFee);
    }

    /// @return the most that a Wh can cost a buyer besides its price, units/Wh: the fees and, if it does not take the energy, what
    /// the supplier wants for it.
    function extra(Rules memory rules) internal pure returns (uint256) {
        return fees(rules) + uint256(-int256(SignedPrice.unwrap(rules.minSell)));
    }

    /// @return the most that replacing a Wh can cost a seller who does not deliver, units/Wh.
    function ceiling(Rules memory rules) internal pure returns (uint256) {
        uint256 dearest = uint256(int256(SignedPrice.unwrap(rules.maxBuy)));
        return dearest + Price.unwrap(rules.deviationRate) + fees(rules);
    }

    /// @param energy Wh, within 32 bits times the periods of a day.
    /// @param price units/Wh, within 32 bits and a sign, as the extra and the ceiling are.
    /// @return collateral of a buyer, money units: its payment and what it costs besides.
    function buyerLocks(uint256 energy, int256 price, uint256 extra_) internal pure returns (uint256) {
        unchecked {
            int256 most = price + int256(extra_);
            return most > 0 ? energy * uint256(most) : 0;
        }
    }

    /// @return collateral of a seller, money units: what replacing its energy may cost beyond the price.
    function sellerLocks(uint256 energy, int256 price, uint256 ceiling_) internal pure returns (uint256) {
        unchecked {
            int256 most = int256(ceiling_) - price;
            return most > 0 ? energy * uint256(most) : 0;
        }
    }
}
