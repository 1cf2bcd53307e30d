// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Application, IParticipantRegistry, Member} from "../interfaces/IParticipantRegistry.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {CLEARING_HOUSE, FIRST_PARTICIPANT, Kind, Status} from "../types/Members.sol";

/// @title Participant registry
contract ParticipantRegistry is IParticipantRegistry, AccessManaged, EIP712, Calendar, Multicall {
    bytes32 private constant APPLICATION_TYPEHASH = keccak256(
        "Application(address account,address meter,uint8 kind,uint40 importCapacity,uint40 exportCapacity,bytes32 feeder,bytes32 documents)"
    );
    /// No connection limit: for members whose trading is not bound to a meter of their own.
    uint40 private constant UNLIMITED = type(uint40).max;
    /// All meters of the area together, Wh per period: their sum and the boundary meter's value always fit a signed lane.
    uint40 private constant MAX_AREA = (1 << 37) - 1;

    mapping(uint32 id => Member) private _members;
    mapping(address account => uint32) public idOf;
    mapping(address meter => uint32) private _idOfMeter;
    mapping(address account => Application) private _applications;
    /// Applications that were brought once, by digest: a rejected one cannot be brought again by somebody else.
    mapping(bytes32 digest => bool) private _isBrought;
    uint32 public memberCount;
    /// Capacity of all meters ever admitted, Wh per period: whoever leaves is still read for some days, and there is room for
    /// thousands of towns.
    uint256 private _connected;

    /// @param supplier account of the fallback supplier.
    /// @param operator account that earns the platform fee.
    /// @param gridOperator account that earns the network fee and owns the losses.
    /// @param boundaryMeter key of the meter at the area's boundary.
    constructor(
        address authority,
        CalendarParameters memory calendar_,
        address supplier,
        address operator,
        address gridOperator,
        address boundaryMeter
    ) AccessManaged(authority) EIP712("DEM", "1") Calendar(calendar_) {
        _enter(address(0), address(0), Kind.Fund, 0, 0);
        _enter(address(0), address(0), Kind.ClearingHouse, 0, 0);
        _enter(supplier, address(0), Kind.FallbackSupplier, UNLIMITED, UNLIMITED);
        _enter(operator, address(0), Kind.Operator, 0, 0);
        _enter(gridOperator, boundaryMeter, Kind.GridOperator, MAX_AREA, MAX_AREA);
    }

    /// @inheritdoc IParticipantRegistry
    function applyFor(Application calldata a, bytes calldata signature) external {
        if (a.kind < Kind.Consumer) revert KindNotOpen(a.kind);
        Status status = statusOf(a.account);
        if (status != Status.None) revert WrongStatus(a.account, status);
        _requireFresh(a.account, a.meter);
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    APPLICATION_TYPEHASH,
                    a.account,
                    a.meter,
                    a.kind,
                    a.importCapacity,
                    a.exportCapacity,
                    a.feeder,
                    a.documents
                )
            )
        );
        address signer = ECDSA.recover(digest, signature);
        if (signer != a.account) revert NotSignedByApplicant(a.account, signer);
        if (_isBrought[digest]) revert ApplicationUsed(digest);
        _isBrought[digest] = true;
        _applications[a.account] = a;
        emit Applied(a.account, a.meter, a.kind, a.importCapacity, a.exportCapacity, a.feeder, a.documents);
    }

    /// @inheritdoc IParticipantRegistry
    function admit(address account) external restricted returns (uint32) {
        Application memory a = _applications[account];
        if (a.account == address(0)) revert UnknownAccount(account);
        _requireFresh(a.account, a.meter);
        delete _applications[account];
        if (a.meter != address(0)) {
            _connected += a.importCapacity > a.exportCapacity ? a.importCapacity : a.exportCapacity;
            if (_connected > MAX_AREA) revert AreaFull(_connected, MAX_AREA);
        }
        return _enter(a.account, a.meter, a.kind, a.importCapacity, a.exportCapacity);
    }

    /// @inheritdoc IParticipantRegistry
    function reject(address account) external restricted {
        if (_applications[account].account == address(0)) revert UnknownAccount(account);
        delete _applications[account];
        emit Rejected(account);
    }

    /// @inheritdoc IParticipantRegistry
    function replaceMeter(uint32 id, address meter) external restricted {
        Member storage m = _known(id);
        if (m.meter == address(0) || m.status == Status.Exited) revert WrongStatus(m.account, m.status);
        if (meter == address(0)) revert KeyUnusable(meter);
        _requireFreshMeter(meter);
        delete _idOfMeter[m.meter];
        _idOfMeter[meter] = id;
        m.meter = meter;
        emit MeterReplaced(id, meter);
    }

    /// @inheritdoc IParticipantRegistry
    function suspend(uint32 id) external restricted {
        _change(id, Status.Admitted, Status.Suspended);
    }

    /// @inheritdoc IParticipantRegistry
    function reinstate(uint32 id) external restricted {
        _change(id, Status.Suspended, Status.Admitted);
    }

    /// @inheritdoc IParticipantRegistry
    function exit(uint32 id) external restricted {
        Member storage m = _known(id);
        // The market's own members stay as long as it does.
        if (m.status == Status.Exited || id < FIRST_PARTICIPANT) revert WrongStatus(m.account, m.status);
        m.status = Status.Exited;
        m.lastDay = uint32(dayAt(block.timestamp + OPEN_LEAD));
        emit StatusChanged(id, Status.Exited, m.lastDay);
    }

    /// @inheritdoc IParticipantRegistry
    function member(uint32 id) external view returns (Member memory) {
        return _known(id);
    }

    /// @inheritdoc IParticipantRegistry
    function trader(address account, uint256 day) external view returns (uint32 id, uint256, uint256) {
        id = idOf[account];
        if (id == 0) revert UnknownAccount(account);
        Member storage m = _members[id];
        if (m.status != Status.Admitted) revert WrongStatus(account, m.status);
        if (day < m.firstDay) revert NotTakingPart(id, day, m.firstDay, m.lastDay);
        return (id, m.importCapacity, m.exportCapacity);
    }

    /// @inheritdoc IParticipantRegistry
    function metered(address meter, uint256 day) external view returns (uint32 id, uint256, uint256) {
        id = _idOfMeter[meter];
        if (id == 0) revert UnknownMeter(meter);
        Member storage m = _members[id];
        if (day < m.firstDay || day > m.lastDay) revert NotTakingPart(id, day, m.firstDay, m.lastDay);
        return (id, m.importCapacity, m.exportCapacity);
    }

    /// @inheritdoc IParticipantRegistry
    function meteredOn(uint256 day, uint32 firstId, uint256 count) external view returns (bool[] memory flags) {
        flags = new bool[](count);
        for (uint256 i = 0; i < count; ++i) {
            Member storage m = _members[firstId + uint32(i)];
            flags[i] = m.meter != address(0) && day >= m.firstDay && day <= m.lastDay;
        }
    }

    /// @inheritdoc IParticipantRegistry
    function statusOf(address account) public view returns (Status) {
        uint32 id = idOf[account];
        if (id != 0) return _members[id].status;
        return _applications[account].account == address(0) ? Status.None : Status.Applied;
    }

    /// @inheritdoc IParticipantRegistry
    function isRegistered(address account) external view returns (bool) {
        return idOf[account] != 0;
    }

    function _change(uint32 id, Status from, Status to) private {
        Member storage m = _known(id);
        if (m.status != from) revert WrongStatus(m.account, m.status);
        m.status = to;
        emit StatusChanged(id, to, m.lastDay);
    }

    function _enter(address account, address meter, Kind kind, uint40 importCapacity, uint40 exportCapacity)
        private
        returns (uint32 id)
    {
        id = ++memberCount;
        uint32 firstDay = uint32(dayAt(block.timestamp)) + 1;
        _members[id] = Member({
            account: account,
            importCapacity: importCapacity,
            exportCapacity: exportCapacity,
            status: Status.Admitted,
            meter: meter,
            firstDay: firstDay,
            lastDay: type(uint32).max,
            kind: kind
        });
        // The fund and the clearing house have no key: nobody can order or withdraw in their name.
        if (id > CLEARING_HOUSE) {
            if (account == address(0) || idOf[account] != 0) revert KeyUnusable(account);
            idOf[account] = id;
        }
        if (meter != address(0)) _idOfMeter[meter] = id;
        emit Admitted(id, account, meter, kind, firstDay);
    }

    function _requireFresh(address account, address meter) private view {
        if (account == address(0) || idOf[account] != 0) revert KeyUnusable(account);
        if (meter == account) revert KeyUnusable(meter);
        _requireFreshMeter(meter);
    }

    /// A meter stays where it is when its member moves out: the next one may bring it once nothing can be read for the last.
    function _requireFreshMeter(address meter) private view {
        uint32 owner = _idOfMeter[meter];
        if (owner == 0) return;
        Member storage m = _members[owner];
        if (m.status != Status.Exited) revert KeyUnusable(meter);
        if (m.lastDay > 0 && block.timestamp < correctionsCloseAt(m.lastDay)) revert KeyUnusable(meter);
    }

    function _known(uint32 id) private view returns (Member storage m) {
        if (id == 0 || id > memberCount) revert UnknownMember(id);
        m = _members[id];
    }
}
