// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IMarket, Positions} from "../interfaces/IMarket.sol";
import {ISchedule} from "../interfaces/ISchedule.sol";
import {Strips} from "../types/Strips.sol";

/// @title Schedule
contract Schedule is ISchedule, AccessManaged {
    IMarket[] private _markets;

    constructor(address authority) AccessManaged(authority) {}

    /// @inheritdoc ISchedule
    function addMarket(IMarket market) external restricted {
        for (uint256 m = 0; m < _markets.length; ++m) {
            if (address(_markets[m]) == address(market)) revert MarketKnown(address(market));
        }
        _markets.push(market);
        emit MarketAdded(address(market));
    }

    /// @inheritdoc ISchedule
    function markets() external view returns (IMarket[] memory) {
        return _markets;
    }

    /// @inheritdoc ISchedule
    function isComplete(uint256 day) external view returns (bool) {
        for (uint256 m = 0; m < _markets.length; ++m) {
            if (!_markets[m].isCleared(day)) return false;
        }
        return _markets.length > 0;
    }

    /// @inheritdoc ISchedule
    function collect(uint256 day, uint32 firstId, uint256 count) external restricted returns (Positions memory sum) {
        sum = _markets[0].book(day, firstId, count);
        for (uint256 m = 1; m < _markets.length; ++m) _add(sum, _markets[m].book(day, firstId, count));
        for (uint256 i = 0; i < count; ++i) _record(day, firstId + uint32(i), i, count, sum.net);
    }

    function _add(Positions memory sum, Positions memory more) private pure {
        for (uint256 w = 0; w < sum.net.length; ++w) sum.net[w] = Strips.addSigned(sum.net[w], more.net[w]);
        for (uint256 i = 0; i < sum.payment.length; ++i) {
            sum.payment[i] += more.payment[i];
            sum.traded[i] += more.traded[i];
            sum.release[i] += more.release[i];
        }
    }

    function _record(uint256 day, uint32 id, uint256 i, uint256 count, uint256[] memory net) private {
        uint256 strips = net.length / count;
        uint256[] memory own = new uint256[](strips);
        bool hasAny = false;
        for (uint256 s = 0; s < strips; ++s) {
            own[s] = net[i * strips + s];
            if (own[s] != Strips.ZERO_LANES) hasAny = true;
        }
        if (hasAny) emit Scheduled(id, uint32(day), own);
    }
}
