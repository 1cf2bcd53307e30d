// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IParticipantRegistry} from "../interfaces/IParticipantRegistry.sol";
import {ISettlementToken} from "../interfaces/ISettlementToken.sol";

/// @title Settlement token
/// @dev Created by the accounts contract, which is its only minter for good: no role to grant, none to steal.
contract SettlementToken is ISettlementToken, ERC20 {
    address private immutable ACCOUNTS = msg.sender;
    IParticipantRegistry private immutable REGISTRY;

    modifier onlyAccounts() {
        if (msg.sender != ACCOUNTS) revert NotTheAccounts(msg.sender);
        _;
    }

    constructor(IParticipantRegistry registry) ERC20("DEM settlement token", "DEM") {
        REGISTRY = registry;
    }

    /// @inheritdoc ISettlementToken
    function mint(uint256 amount) external onlyAccounts {
        _mint(ACCOUNTS, amount);
    }

    /// @inheritdoc ISettlementToken
    function burn(uint256 amount) external onlyAccounts {
        _burn(ACCOUNTS, amount);
    }

    /// @return 8: one token unit is one money unit of the market.
    function decimals() public pure override returns (uint8) {
        return 8;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (to == ACCOUNTS && msg.sender != ACCOUNTS) revert UseDepositTokens();
        // Address zero stands for minting and burning. Whoever finds the key of an account that was replaced still moves what is in its wallet.
        if (from != address(0) && from != ACCOUNTS && REGISTRY.numberOf(from) == 0) revert NotRegistered(from);
        bool isHolder = to == address(0) || to == ACCOUNTS || REGISTRY.isRegistered(to);
        if (!isHolder) revert NotRegistered(to);
        super._update(from, to, amount);
    }
}
