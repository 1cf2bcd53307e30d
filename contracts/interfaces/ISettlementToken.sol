// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title Settlement token
/// @notice One currency unit of deposited fiat each, 8 decimals. Moves between registered accounts only; minted and
/// burnt by the accounts contract alone, which sees to it that a payment reference is used once (rule 3).
interface ISettlementToken is IERC20 {
    /// Tokens move between registered accounts only.
    /// @param account address that would send or receive, and was never admitted.
    error NotRegistered(address account);

    /// Tokens sent to the accounts contract would be nobody's: IAccounts.depositTokens books them.
    error UseDepositTokens();
    /// Only the accounts contract mints and burns.
    error NotTheAccounts(address caller);

    /// @notice Mints to the accounts contract.
    function mint(uint256 amount) external;

    /// @notice Burns what the accounts contract holds.
    function burn(uint256 amount) external;
}
