// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";
import {IIntermediaries} from "../interfaces/IIntermediaries.sol";
import {Application, IParticipantRegistry, Member} from "../interfaces/IParticipantRegistry.sol";
import {IStandingWatcher} from "../interfaces/IStandingWatcher.sol";
import {ITraders} from "../interfaces/ITraders.sol";
import {Calendar, CalendarParameters} from "../types/Calendar.sol";
import {CLEARING_HOUSE, FIRST_PARTICIPANT, Kind, Status} from "../types/Members.sol";
import {SigningDomain} from "../types/SigningDomain.sol";
import {Strips} from "../types/Strips.sol";

/// @title Participant registry
contract ParticipantRegistry is IParticipantRegistry, AccessManaged, SigningDomain, Calendar, Multicall {
    using EnumerableSet for EnumerableSet.AddressSet;

    bytes32 private constant APPLICATION_TYPEHASH = keccak256(
        "Application(address account,address meter,uint8 kind,uint40 importCapacity,uint40 exportCapacity,bytes32 feeder,bytes32 documents)"
    );
    /// The largest connection, Wh per period. What trades without a limit of its own stays within it too: a market never contracts
    /// more for a member, so that all markets together fit a signed lane.
    uint40 private constant MAX_CONNECTION = uint40(Strips.MAX_POSITION);
    uint256 private constant MAX_WATCHERS = 8;
    /// Gas for a market to take note of a changed standing: three times what the intraday market needs.
    uint256 private constant WATCHER_GAS = 200_000;
    /// The same for a changed account, of which a market may have something for each day of the ring.
    uint256 private constant MOVING_GAS = 400_000;
    uint256 private constant WHOLE_SHARE = 10_000;
    /// All meters of the area together, Wh per period: their sum and the boundary meter's value always fit a signed lane.
    uint40 private constant MAX_AREA = (1 << 37) - 1;
    /// Their connections: a meter may show twice what its connection is for.
    uint40 private constant MAX_CONNECTED = (1 << 36) - 1;

    /// A member but for its keys, in one storage word.
    struct Standing {
        uint32 id;
        Kind kind;
        Status status;
        uint40 importCapacity;
        uint40 exportCapacity;
        uint32 firstDay;
        uint32 lastDay;
        /// First day of its first mandate, 0 if it never gave one: nobody else's orders cost a question to the intermediaries.
        uint32 dividedFrom;
        /// Whether its meter has been silent for too long.
        bool isSilent;
    }

    struct Keys {
        address account;
        address meter;
    }

    struct Seat {
        /// Account whose member the meter belongs to.
        address owner;
        /// Whether the member has, or had, several.
        bool isOneOfSeveral;
    }

    mapping(address account => Standing) private _standings;
    mapping(uint32 id => Keys) private _keys;
    mapping(address meter => Seat) private _seats;
    /// Meters of a member beside that which was admitted with it.
    mapping(uint32 id => address[]) private _furtherMeters;
    mapping(address account => Application) private _applications;
    /// Applications that were brought once, by digest: a rejected one cannot be brought again by somebody else.
    mapping(bytes32 digest => bool) private _isBrought;
    /// Members by the accounts that they have lost: nobody is admitted under one of those again, so that what its key has signed stays
    /// void.
    mapping(address account => uint32) private _formerOf;
    uint32 public memberCount;
    /// Where the mandates are kept, once there is one.
    IIntermediaries private _intermediaries;
    /// Markets that are told of suspensions: a new one may begin while days of the old one settle.
    EnumerableSet.AddressSet private _watchers;
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
    ) AccessManaged(authority) Calendar(calendar_) {
        _enter(address(0), address(0), Kind.Fund, 0, 0);
        _enter(address(0), address(0), Kind.ClearingHouse, 0, 0);
        _enter(supplier, address(0), Kind.FallbackSupplier, MAX_CONNECTION, MAX_CONNECTION);
        _enter(operator, address(0), Kind.Operator, 0, 0);
        _enter(gridOperator, boundaryMeter, Kind.GridOperator, MAX_AREA, MAX_AREA);
    }

    /// @inheritdoc IParticipantRegistry
    function applyFor(Application calldata a, bytes calldata signature) external {
        if (a.kind < Kind.Consumer) revert KindNotOpen(a.kind);
        uint40 larger = _larger(a);
        if (larger > MAX_CONNECTION) revert ConnectionTooLarge(larger, MAX_CONNECTION);
        Status status = statusOf(a.account);
        if (status != Status.None) revert WrongStatus(a.account, status);
        _requireFresh(a.account, a.meter);
        bytes32 digest = _digestOf(a);
        address signer = ECDSA.recover(digest, signature);
        if (signer != a.account) revert NotSignedByApplicant(a.account, signer);
        if (_isBrought[digest]) revert ApplicationUsed(digest);
        _isBrought[digest] = true;
        _applications[a.account] = a;
        emit Applied(a.account, a.meter, a.kind, a.importCapacity, a.exportCapacity, a.feeder, a.documents);
    }

    /// @inheritdoc IParticipantRegistry
    function admit(address account, bytes32 application) external restricted returns (uint32) {
        Application memory a = _decidedOn(account, application);
        _requireFresh(a.account, a.meter);
        delete _applications[account];
        if (a.meter != address(0)) {
            _connect(_larger(a));
        }
        return _enter(a.account, a.meter, a.kind, a.importCapacity, a.exportCapacity);
    }

    /// @inheritdoc IParticipantRegistry
    function reject(address account, bytes32 application) external restricted {
        _decidedOn(account, application);
        delete _applications[account];
        emit Rejected(account);
    }

    /// @inheritdoc IParticipantRegistry
    function replaceMeter(uint32 id, address meter) external restricted {
        Keys storage keys = _metered(id);
        if (meter == address(0)) revert KeyUnusable(meter);
        // One of several is removed, and another installed, with the registers that it has.
        if (_seats[keys.meter].isOneOfSeveral) revert KeyUnusable(keys.meter);
        _requireFreshMeter(meter);
        delete _seats[keys.meter];
        _seats[meter] = Seat(keys.account, false);
        keys.meter = meter;
        emit MeterReplaced(id, meter);
    }

    /// @inheritdoc IParticipantRegistry
    function addMeter(uint32 id, address meter) external restricted returns (address main) {
        Keys storage keys = _metered(id);
        main = keys.meter;
        if (meter == address(0) || meter == keys.account || id < FIRST_PARTICIPANT) revert KeyUnusable(meter);
        _requireFreshMeter(meter);
        Standing storage m = _standings[keys.account];
        // Each of them may show what the connection carries.
        _connect(m.importCapacity > m.exportCapacity ? m.importCapacity : m.exportCapacity);
        _seats[main].isOneOfSeveral = true;
        _seats[meter] = Seat(keys.account, true);
        _furtherMeters[id].push(meter);
    }

    /// @inheritdoc IParticipantRegistry
    function setMainMeter(uint32 id, address meter) external restricted {
        Keys storage keys = _keys[id];
        _furtherMeters[id].push(keys.meter);
        keys.meter = meter;
        emit MeterReplaced(id, meter);
    }

    /// @inheritdoc IParticipantRegistry
    function replaceAccount(uint32 id, address account) external restricted {
        Keys storage keys = _keys[id];
        address replaced = keys.account;
        if (_known(id).id <= CLEARING_HOUSE || statusOf(account) != Status.None) revert KeyUnusable(account);
        _requireFresh(account, address(0));
        if (_seats[account].owner == replaced) revert KeyUnusable(account);
        _standings[account] = _standings[replaced];
        delete _standings[replaced];
        _formerOf[replaced] = id;
        keys.account = account;
        _moveMeter(keys.meter, replaced, account);
        address[] storage further = _furtherMeters[id];
        for (uint256 i = 0; i < further.length; ++i) {
            _moveMeter(further[i], replaced, account);
        }
        emit AccountReplaced(id, replaced, account);
        _tell(id, abi.encodeCall(IStandingWatcher.move, (replaced, account)), MOVING_GAS);
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
        Standing storage m = _known(id);
        // The market's own members stay as long as it does.
        if (m.status == Status.Exited || id < FIRST_PARTICIPANT) revert WrongStatus(_keys[id].account, m.status);
        m.lastDay = uint32(dayAt(block.timestamp + OPEN_LEAD));
        _enterStatus(m, Status.Exited);
    }

    /// @inheritdoc IParticipantRegistry
    function setSilent(uint32 id, bool isSilent_) external restricted {
        Standing storage m = _known(id);
        m.isSilent = isSilent_;
        emit SilenceChanged(id, isSilent_);
        _tellStanding(m);
    }

    /// @inheritdoc IParticipantRegistry
    function divide(uint32 id, uint32 firstDay) external restricted {
        Standing storage m = _known(id);
        if (m.dividedFrom == 0 || firstDay < m.dividedFrom) m.dividedFrom = firstDay;
        _intermediaries = IIntermediaries(msg.sender);
    }

    /// @inheritdoc IParticipantRegistry
    function addWatcher(address market) external restricted {
        if (market.code.length == 0 || !_watchers.add(market)) revert WatcherUnusable(market);
        if (_watchers.length() > MAX_WATCHERS) revert TooManyWatchers(MAX_WATCHERS);
        emit WatcherAdded(market);
    }

    /// @inheritdoc IParticipantRegistry
    function removeWatcher(address market) external restricted {
        if (!_watchers.remove(market)) revert WatcherUnusable(market);
        emit WatcherRemoved(market);
    }

    /// @inheritdoc IParticipantRegistry
    function member(uint32 id) external view returns (Member memory) {
        Standing storage m = _known(id);
        Keys memory keys = _keys[id];
        return Member({
            account: keys.account,
            importCapacity: m.importCapacity,
            exportCapacity: m.exportCapacity,
            status: m.status,
            meter: keys.meter,
            firstDay: m.firstDay,
            lastDay: m.lastDay,
            kind: m.kind
        });
    }

    /// @inheritdoc ITraders
    function requireTrader(address account, uint256 day)
        external
        view
        returns (uint32 id, uint256 importCapacity, uint256 exportCapacity)
    {
        Standing storage m = _trading(account, day);
        (importCapacity, exportCapacity) = _capacitiesOf(m);
        id = m.id;
        (, uint256 share) = _mandateOf(id, m.dividedFrom, day);
        if (share > 0) {
            importCapacity -= _partDown(importCapacity, share);
            exportCapacity -= _partDown(exportCapacity, share);
        }
    }

    /// @inheritdoc ITraders
    function client(address participant, address signer, uint256 day) external view returns (uint32, uint256, uint256) {
        Standing storage m = _standings[participant];
        (uint32 intermediary, uint256 share) = _mandateOf(m.id, m.dividedFrom, day);
        bool isClient = signer == participant;
        if (share == 0 || (!isClient && _standings[signer].id != intermediary)) {
            revert NotTheIntermediary(participant, signer, day);
        }
        if (block.timestamp < opensAt(day)) revert MandateNotFixed(day, opensAt(day));
        _trading(participant, day);
        // Of no energy all that a sheet can do is cancel.
        if (isClient) return (m.id, 0, 0);
        _trading(signer, day);
        (uint256 importCapacity, uint256 exportCapacity) = _capacitiesOf(m);
        return (m.id, _partDown(importCapacity, share), _partDown(exportCapacity, share));
    }

    /// @inheritdoc IParticipantRegistry
    function metered(address meter, uint256 day) external view returns (uint32 id, uint256, uint256, bool) {
        Seat storage seat = _seats[meter];
        address owner = seat.owner;
        if (owner == address(0)) revert UnknownMeter(meter);
        Standing storage m = _standings[owner];
        if (day < m.firstDay || day > m.lastDay) revert NotTakingPart(m.id, day, m.firstDay, m.lastDay);
        return (m.id, m.importCapacity, m.exportCapacity, seat.isOneOfSeveral);
    }

    /// @inheritdoc IParticipantRegistry
    function isSilent(uint32 id) external view returns (bool) {
        return _known(id).isSilent;
    }

    /// @inheritdoc IParticipantRegistry
    function isMetered(uint32 id, uint256 day) external view returns (bool) {
        if (_keys[id].meter == address(0)) return false;
        Standing storage m = _standings[_keyOf(id)];
        return day >= m.firstDay && day <= m.lastDay;
    }

    /// @inheritdoc IParticipantRegistry
    function idOf(address account) public view returns (uint32) {
        uint32 id = _standings[account].id;
        return id > CLEARING_HOUSE ? id : 0;
    }

    /// @inheritdoc IParticipantRegistry
    function numberOf(address account) external view returns (uint32 id) {
        id = idOf(account);
        // Nobody has number 0.
        // slither-disable-next-line incorrect-equality
        if (id == 0) id = _formerOf[account];
    }

    /// @inheritdoc IParticipantRegistry
    function statusOf(address account) public view returns (Status) {
        if (idOf(account) != 0) return _standings[account].status;
        return _applications[account].account == address(0) ? Status.None : Status.Applied;
    }

    /// @inheritdoc IParticipantRegistry
    function applicationOf(address account) external view returns (bytes32) {
        Application memory a = _applications[account];
        return a.account == address(0) ? bytes32(0) : _digestOf(a);
    }

    /// @inheritdoc IParticipantRegistry
    function isWatcher(address market) external view returns (bool) {
        return _watchers.contains(market);
    }

    /// @inheritdoc IParticipantRegistry
    function isRegistered(address account) external view returns (bool) {
        return idOf(account) != 0;
    }

    /// @return keys of a member that has a meter and has not left.
    function _metered(uint32 id) private view returns (Keys storage keys) {
        Status status = _known(id).status;
        keys = _keys[id];
        if (keys.meter == address(0) || status == Status.Exited) revert WrongStatus(keys.account, status);
    }

    function _connect(uint40 capacity) private {
        _connected += capacity;
        if (_connected > MAX_CONNECTED) revert AreaFull(_connected, MAX_CONNECTED);
    }

    /// The meter of who has left may be somebody else's by now.
    function _moveMeter(address meter, address replaced, address account) private {
        if (_seats[meter].owner == replaced) _seats[meter].owner = account;
    }

    function _larger(Application memory a) private pure returns (uint40) {
        return a.importCapacity > a.exportCapacity ? a.importCapacity : a.exportCapacity;
    }

    /// @return imports and
    /// @return exports what a member may trade, Wh per period: the grid operator's connection is the area's, and larger.
    function _capacitiesOf(Standing storage m) private view returns (uint256 imports, uint256 exports) {
        (imports, exports) = (m.importCapacity, m.exportCapacity);
        if (imports > MAX_CONNECTION) imports = MAX_CONNECTION;
        if (exports > MAX_CONNECTION) exports = MAX_CONNECTION;
    }

    function _change(uint32 id, Status from, Status to) private {
        Standing storage m = _known(id);
        if (m.status != from) revert WrongStatus(_keys[id].account, m.status);
        _enterStatus(m, to);
    }

    function _enterStatus(Standing storage m, Status status) private {
        m.status = status;
        emit StatusChanged(m.id, status, m.lastDay);
        _tellStanding(m);
    }

    function _tellStanding(Standing storage m) private {
        bool isBarred = m.status != Status.Admitted || m.isSilent;
        _tell(m.id, abi.encodeCall(IStandingWatcher.bar, (_keys[m.id].account, isBarred)), WATCHER_GAS);
    }

    /// Markets are told with a bounded amount of gas: one that fails hinders neither the change nor the other markets.
    function _tell(uint32 id, bytes memory told, uint256 limit) private {
        for (uint256 i = 0; i < _watchers.length(); ++i) {
            address market = _watchers.at(i);
            // A call gets 63/64 of the gas at most: with too little no market is made to fail.
            uint256 needed = limit + limit / 32;
            if (gasleft() < needed) revert TooLittleGas(gasleft(), needed);
            bool succeeded;
            // By hand, as nothing of what it answers is to be copied: that would cost as much again.
            assembly ("memory-safe") {
                succeeded := call(limit, market, 0, add(told, 0x20), mload(told), 0, 0)
            }
            if (!succeeded) emit WatcherFailed(market, id);
        }
    }

    /// @return a the account's application, if it is the one that was decided on.
    function _decidedOn(address account, bytes32 application) private view returns (Application memory a) {
        a = _applications[account];
        if (a.account == address(0)) revert UnknownAccount(account);
        bytes32 digest = _digestOf(a);
        if (digest != application) revert AnotherApplication(account, digest);
    }

    /// @return an application's hash as it is signed (EIP-712).
    function _digestOf(Application memory a) private view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(APPLICATION_TYPEHASH, a)));
    }

    function _enter(address account, address meter, Kind kind, uint40 importCapacity, uint40 exportCapacity)
        private
        returns (uint32 id)
    {
        id = ++memberCount;
        // The fund and the clearing house have no key: nobody can order or withdraw in their name.
        if (id > CLEARING_HOUSE && (account == address(0) || idOf(account) != 0)) revert KeyUnusable(account);
        uint32 firstDay = uint32(dayAt(block.timestamp)) + 1;
        _keys[id] = Keys(account, meter);
        _standings[_keyOf(id)] = Standing({
            id: id,
            kind: kind,
            status: Status.Admitted,
            importCapacity: importCapacity,
            exportCapacity: exportCapacity,
            firstDay: firstDay,
            lastDay: type(uint32).max,
            dividedFrom: 0,
            isSilent: false
        });
        if (meter != address(0)) _seats[meter] = Seat(account, false);
        emit Admitted(id, account, meter, kind, firstDay);
    }

    /// @return m the member, if it may order for the day.
    function _trading(address account, uint256 day) private view returns (Standing storage m) {
        m = _standings[account];
        if (m.id <= CLEARING_HOUSE) revert UnknownAccount(account);
        if (m.status != Status.Admitted) revert WrongStatus(account, m.status);
        if (day < m.firstDay) revert NotTakingPart(m.id, day, m.firstDay, m.lastDay);
        if (m.isSilent) revert MeterSilent(m.id);
    }

    function _mandateOf(uint32 id, uint256 dividedFrom, uint256 day)
        private
        view
        returns (uint32 intermediary, uint256 share)
    {
        if (dividedFrom > 0 && day >= dividedFrom) return _intermediaries.mandateOf(id, day);
    }

    /// @return Wh of a connection that a share (1/10,000) trades; the member's own part gains by less than 1 Wh.
    function _partDown(uint256 capacity, uint256 share) private pure returns (uint256) {
        return (capacity * share) / WHOLE_SHARE;
    }

    function _requireFresh(address account, address meter) private view {
        if (account == address(0) || idOf(account) != 0 || _formerOf[account] != 0) revert KeyUnusable(account);
        if (meter == account) revert KeyUnusable(meter);
        _requireFreshMeter(meter);
    }

    /// A meter stays where it is when its member moves out: the next one may bring it once nothing can be read for the last.
    function _requireFreshMeter(address meter) private view {
        address owner = _seats[meter].owner;
        if (owner == address(0)) return;
        Standing storage m = _standings[owner];
        if (m.status != Status.Exited) revert KeyUnusable(meter);
        if (m.lastDay > 0 && block.timestamp < correctionsCloseAt(m.lastDay)) revert KeyUnusable(meter);
    }

    function _known(uint32 id) private view returns (Standing storage) {
        if (id == 0 || id > memberCount) revert UnknownMember(id);
        return _standings[_keyOf(id)];
    }

    /// Members without an account are kept under their number, which is nobody's address.
    function _keyOf(uint32 id) private view returns (address) {
        return id > CLEARING_HOUSE ? _keys[id].account : address(uint160(id));
    }
}
