// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Trading accounts
/// @notice Who a member is, what it may do and what it has done intraday on one day, in one word: bits 255..240 day, 239 barred from
/// placing orders, 235..220 strips with a trade, a bit each, 219..188 its number, 187..156 highest net position of a period in Wh,
/// 155..100 collateral that is not in use and 99..40 payment due + 2^59, in money units, 39..0 energy bought and sold in Wh.
/// @dev A price has 19 bits, so the payment for all the energy that fits is below 2^59: no field ever reaches the next.
library TradingAccounts {
    /// Energy that fits, Wh.
    uint256 internal constant MAX_TRADED = type(uint40).max;
    uint256 internal constant MAX_LIMIT = type(uint32).max;

    uint256 private constant PAYMENT_SHIFT = 40;
    uint256 private constant AVAILABLE_SHIFT = 100;
    uint256 private constant LIMIT_SHIFT = 156;
    uint256 private constant ID_SHIFT = 188;
    uint256 private constant STRIPS_SHIFT = 220;
    uint256 private constant BARRED = 1 << 239;
    uint256 private constant DAY_SHIFT = 240;
    uint256 private constant BIAS = 1 << 59;
    uint256 private constant PAYMENT_MASK = (1 << 60) - 1;

    /// @return an account without money or trades.
    function open(uint256 day, uint256 id_, uint256 limit_) internal pure returns (uint256) {
        return (day << DAY_SHIFT) | (id_ << ID_SHIFT) | (limit_ << LIMIT_SHIFT) | (BIAS << PAYMENT_SHIFT);
    }

    function isBarred(uint256 account) internal pure returns (bool) {
        return account & BARRED != 0;
    }

    function withBarred(uint256 account, bool isBarred_) internal pure returns (uint256) {
        return isBarred_ ? account | BARRED : account & ~BARRED;
    }

    function strips(uint256 account) internal pure returns (uint256) {
        return uint16(account >> STRIPS_SHIFT);
    }

    function id(uint256 account) internal pure returns (uint256) {
        return uint32(account >> ID_SHIFT);
    }

    function limit(uint256 account) internal pure returns (uint256) {
        return uint32(account >> LIMIT_SHIFT);
    }

    function available(uint256 account) internal pure returns (uint256) {
        return uint56(account >> AVAILABLE_SHIFT);
    }

    function payment(uint256 account) internal pure returns (int256) {
        unchecked {
            return int256((account >> PAYMENT_SHIFT) & PAYMENT_MASK) - int256(BIAS);
        }
    }

    function traded(uint256 account) internal pure returns (uint256) {
        return uint40(account);
    }

    /// @return the account with more to spend; what a member funded fits, so what it gets back does.
    function free(uint256 account, uint256 amount) internal pure returns (uint256) {
        unchecked {
            return account + (amount << AVAILABLE_SHIFT);
        }
    }

    /// @return the account with less to spend, by at most what is available.
    function spend(uint256 account, uint256 amount) internal pure returns (uint256) {
        unchecked {
            return account - (amount << AVAILABLE_SHIFT);
        }
    }

    /// @return the account after trades in a strip: energy in Wh, at most what fits, and the payment due for it.
    function trade(uint256 account, uint256 strip, uint256 energy, int256 due) internal pure returns (uint256) {
        unchecked {
            return (account + energy + (uint256(due) << PAYMENT_SHIFT)) | (1 << (STRIPS_SHIFT + strip));
        }
    }
}
