// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";
import {IIntermediaries} from "../interfaces/IIntermediaries.sol";
import {Application, IParticipantRegistry, Member, Metered} from "../interfaces/IParticipantRegistry.sol";
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
        /// Whether its connection has another capacity from some day on, see `_changes`.
        bool hasChanged;
        /// Whether it has left and come back, see `_absences`.
        bool hasReturned;
    }

    /// What a connection carries from a day on, Wh per period.
    struct Connection {
        uint40 importCapacity;
        uint40 exportCapacity;
        uint32 firstDay;
    }

    /// Days between which a member took no part.
    struct Absence {
        uint32 lastDay;
        uint32 firstDay;
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
        /// First day on which it is this member's; on earlier ones see `_formerSeats`.
        uint32 firstDay;
    }

    mapping(address account => Standing) private _standings;
    mapping(uint32 id => Keys) private _keys;
    mapping(address meter => Seat) private _seats;
    /// Whose meters were before, of those that stayed when their member moved out.
    mapping(address meter => Seat) private _formerSeats;
    /// Changes of each member's connection, in the order of their days.
    mapping(uint32 id => Connection[]) private _changes;
    /// Absences of each member, in their order.
    mapping(uint32 id => Absence[]) private _absences;
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
    /// Capacity of all meters, Wh per period, and of it what each member has: whoever leaves is still read for some days.
    uint256 private _connected;
    mapping(uint32 id => uint256) private _connectedOf;

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
        _requireConnection(a.importCapacity, a.exportCapacity);
        bool isWaiting = _applications[a.account].account != address(0);
        if (isWaiting) revert WrongStatus(a.account, Status.Applied);
        _requireFree(a);
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
        uint32 id = _requireFree(a);
        delete _applications[account];
        if (id != 0) return _return(id, a);
        if (a.meter != address(0)) {
            _connect(memberCount + 1, _larger(a));
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
        if (_takesFrom(meter) != 0) revert KeyUnusable(meter);
        _seats[keys.meter].owner = address(0);
        _seats[meter] = Seat(keys.account, false, 0);
        keys.meter = meter;
        emit MeterReplaced(id, meter);
    }

    /// @inheritdoc IParticipantRegistry
    function changeConnection(uint32 id, uint40 importCapacity, uint40 exportCapacity, uint32 firstDay)
        external
        restricted
    {
        Standing storage m = _known(id);
        if (m.status == Status.Exited || id < FIRST_PARTICIPANT) revert WrongStatus(_keys[id].account, m.status);
        // Orders and contracts of open days keep the capacity that they were taken under.
        uint256 open = dayAt(block.timestamp + OPEN_LEAD);
        if (firstDay <= open || firstDay > Strips.MAX_DAY) revert DayUnusable(firstDay, open + 1);
        _requireConnection(importCapacity, exportCapacity);
        _changeConnection(m, importCapacity, exportCapacity, firstDay);
    }

    /// @inheritdoc IParticipantRegistry
    function addMeter(uint32 id, address meter) external restricted returns (address main) {
        Keys storage keys = _metered(id);
        main = keys.meter;
        if (meter == address(0) || meter == keys.account || id < FIRST_PARTICIPANT) revert KeyUnusable(meter);
        _requireFreshMeter(meter);
        // What either has read for who had it before is over.
        if (_takesFrom(meter) != 0 || !_isOver(_seats[main].firstDay)) revert KeyUnusable(meter);
        Standing storage m = _standings[keys.account];
        // Each of them may show what the connection carries, now or later.
        (uint256 imports, uint256 exports) = _connectionOf(m, type(uint256).max);
        _connect(id, Math.max(imports, exports));
        _seats[main].isOneOfSeveral = true;
        _seats[meter] = Seat(keys.account, true, 0);
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
    function disconnect(uint32 id) external {
        Standing storage m = _known(id);
        bool isOver = m.status == Status.Exited && _isOver(m.lastDay + 1) && _connectedOf[id] != 0;
        if (!isOver) revert WrongStatus(_keys[id].account, m.status);
        _connected -= _connectedOf[id];
        delete _connectedOf[id];
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
        (uint256 importCapacity, uint256 exportCapacity) = _connectionOf(m, dayAt(block.timestamp));
        return Member({
            account: keys.account,
            importCapacity: uint40(importCapacity),
            exportCapacity: uint40(exportCapacity),
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
        (importCapacity, exportCapacity) = _capacitiesOf(m, day);
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
        (uint256 importCapacity, uint256 exportCapacity) = _capacitiesOf(m, day);
        return (m.id, _partDown(importCapacity, share), _partDown(exportCapacity, share));
    }

    /// @inheritdoc IParticipantRegistry
    function metered(address meter, uint256 day) external view returns (Metered memory found) {
        Seat memory seat = _seats[meter];
        if (day < seat.firstDay) seat = _formerSeats[meter];
        if (seat.owner == address(0)) revert UnknownMeter(meter);
        Standing storage m = _standings[seat.owner];
        if (!_takesPart(m, day)) revert NotTakingPart(m.id, day, m.firstDay, m.lastDay);
        (uint256 importCapacity, uint256 exportCapacity) = _connectionOf(m, day);
        return Metered(m.id, importCapacity, exportCapacity, seat.isOneOfSeveral, _since(m, day));
    }

    /// @inheritdoc IParticipantRegistry
    function formerOf(address meter) external view returns (uint32 id, uint256 firstDay) {
        firstDay = _seats[meter].firstDay;
        if (firstDay != 0) id = _standings[_formerSeats[meter].owner].id;
    }

    /// @inheritdoc IParticipantRegistry
    function meterOn(uint32 id, uint256 day)
        external
        view
        returns (address meter, uint256 importCapacity, uint256 exportCapacity)
    {
        meter = _keys[id].meter;
        Standing storage m = _standings[_keyOf(id)];
        if (meter == address(0) || !_takesPart(m, day)) return (address(0), 0, 0);
        (importCapacity, exportCapacity) = _connectionOf(m, day);
    }

    /// @inheritdoc IParticipantRegistry
    function isSilent(uint32 id) external view returns (bool) {
        return _known(id).isSilent;
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
        // Who has left may apply again.
        if (_applications[account].account != address(0)) return Status.Applied;
        return idOf(account) != 0 ? _standings[account].status : Status.None;
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

    function _connect(uint32 id, uint256 capacity) private {
        _connectedOf[id] += capacity;
        _connected += capacity;
        if (_connected > MAX_CONNECTED) revert AreaFull(_connected, MAX_CONNECTED);
    }

    /// The meter of who has left may be somebody else's by now.
    function _moveMeter(address meter, address replaced, address account) private {
        if (_seats[meter].owner == replaced) _seats[meter].owner = account;
        if (_formerSeats[meter].owner == replaced) _formerSeats[meter].owner = account;
    }

    /// @param firstDay beyond all open days.
    function _changeConnection(Standing storage m, uint40 importCapacity, uint40 exportCapacity, uint32 firstDay)
        private
    {
        Connection[] storage changes = _changes[m.id];
        // What was to come on that day or later is replaced.
        while (changes.length > 0 && changes[changes.length - 1].firstDay >= firstDay) {
            changes.pop();
        }
        _changes[m.id].push(Connection(importCapacity, exportCapacity, firstDay));
        m.hasChanged = true;
        uint256 meters = _keys[m.id].meter == address(0) ? 0 : 1 + _furtherMeters[m.id].length;
        uint256 connected = _connectedOf[m.id];
        uint256 needed = Math.max(importCapacity, exportCapacity) * meters;
        // What it had before it may still show.
        if (needed > connected) _connect(m.id, needed - connected);
        emit ConnectionChanged(m.id, importCapacity, exportCapacity, firstDay);
    }

    /// A member that has left is back, under its number and with all that is its own.
    function _return(uint32 id, Application memory a) private returns (uint32) {
        Standing storage m = _standings[a.account];
        uint32 firstDay = _firstDayWith(a.meter, m.lastDay);
        Keys storage keys = _keys[id];
        if (keys.meter != a.meter) {
            if (_seats[keys.meter].owner == a.account) _seats[keys.meter].owner = address(0);
            keys.meter = a.meter;
            emit MeterReplaced(id, a.meter);
        }
        if (a.meter != address(0) && _seats[a.meter].owner != a.account) _seat(id, a.meter, a.account, firstDay);
        _absences[id].push(Absence(m.lastDay, firstDay));
        (m.hasReturned, m.lastDay) = (true, type(uint32).max);
        _changeConnection(m, a.importCapacity, a.exportCapacity, firstDay);
        emit Returned(id, firstDay);
        _enterStatus(m, Status.Admitted);
        return id;
    }

    /// @return firstDay of somebody with this meter: beyond all that are open for its orders, and when nobody else's is read by it.
    function _firstDayWith(address meter, uint256 left) private view returns (uint32 firstDay) {
        uint256 other = _takesFrom(meter);
        firstDay = uint32(dayAt(block.timestamp) + 1);
        if (other >= firstDay) firstDay = uint32(other + 1);
        // Days of an earlier stay are not open to it again.
        uint256 open = dayAt(block.timestamp + OPEN_LEAD);
        if (left != 0 && firstDay <= open) firstDay = uint32(open + 1);
    }

    /// @return lastDay of the member that had a meter and can still be read by it; 0 if there is none.
    function _takesFrom(address meter) private view returns (uint256 lastDay) {
        Standing storage m = _standings[_seats[meter].owner];
        lastDay = m.status == Status.Exited && !_isOver(m.lastDay + 1) ? m.lastDay : 0;
    }

    function _seat(uint32 id, address meter, address account, uint32 firstDay) private {
        bool isTakenOver = _takesFrom(meter) != 0;
        if (isTakenOver) {
            Seat memory former = _seats[meter];
            _formerSeats[meter] = former;
            emit MeterTakenOver(id, meter, _standings[former.owner].id, firstDay);
        }
        _seats[meter] = Seat(account, false, isTakenOver ? firstDay : 0);
    }

    /// @return whether nothing can be read any more of the days before one.
    function _isOver(uint256 day) private view returns (bool) {
        return day <= 1 || block.timestamp >= correctionsCloseAt(day - 1);
    }

    /// @return whether a member takes part on a day.
    function _takesPart(Standing storage m, uint256 day) private view returns (bool) {
        if (day < m.firstDay || day > m.lastDay) return false;
        return _since(m, day) != 0;
    }

    /// @return firstDay since which a member has taken part without a break until a day; 0 in an absence.
    function _since(Standing storage m, uint256 day) private view returns (uint256 firstDay) {
        if (!m.hasReturned) return m.firstDay;
        Absence[] storage absences = _absences[m.id];
        for (uint256 n = absences.length; n > 0; --n) {
            Absence memory absence = absences[n - 1];
            if (day >= absence.firstDay) return absence.firstDay;
            if (day > absence.lastDay) return 0;
        }
        return m.firstDay;
    }

    /// @return imports and
    /// @return exports what a member's connection carries on a day, Wh per period.
    function _connectionOf(Standing storage m, uint256 day) private view returns (uint256 imports, uint256 exports) {
        (imports, exports) = (m.importCapacity, m.exportCapacity);
        if (!m.hasChanged) return (imports, exports);
        Connection[] storage changes = _changes[m.id];
        for (uint256 n = changes.length; n > 0; --n) {
            Connection memory change = changes[n - 1];
            if (day >= change.firstDay) return (change.importCapacity, change.exportCapacity);
        }
    }

    function _requireConnection(uint40 importCapacity, uint40 exportCapacity) private pure {
        uint256 larger = Math.max(importCapacity, exportCapacity);
        if (larger > MAX_CONNECTION) revert ConnectionTooLarge(larger, MAX_CONNECTION);
    }

    function _larger(Application memory a) private pure returns (uint256) {
        return Math.max(a.importCapacity, a.exportCapacity);
    }

    /// @return imports and
    /// @return exports what a member may trade, Wh per period: the grid operator's connection is the area's, and larger.
    function _capacitiesOf(Standing storage m, uint256 day) private view returns (uint256 imports, uint256 exports) {
        (imports, exports) = _connectionOf(m, day);
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
        uint32 firstDay = _firstDayWith(meter, 0);
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
            isSilent: false,
            hasChanged: false,
            hasReturned: false
        });
        if (meter != address(0)) _seat(id, meter, account, firstDay);
        emit Admitted(id, account, meter, kind, firstDay);
    }

    /// @return m the member, if it may order for the day.
    function _trading(address account, uint256 day) private view returns (Standing storage m) {
        m = _standings[account];
        if (m.id <= CLEARING_HOUSE) revert UnknownAccount(account);
        if (m.status != Status.Admitted) revert WrongStatus(account, m.status);
        if (!_takesPart(m, day)) revert NotTakingPart(m.id, day, m.firstDay, m.lastDay);
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

    /// @return id of the member that comes back by an application; 0 for a new one.
    function _requireFree(Application memory a) private view returns (uint32 id) {
        id = idOf(a.account);
        if (id != 0) _requireReturn(id, a);
        else _requireFresh(a.account, a.meter);
    }

    function _requireReturn(uint32 id, Application memory a) private view {
        Standing storage m = _standings[a.account];
        bool isOver = m.status == Status.Exited && _isOver(m.lastDay + 1);
        if (!isOver) revert WrongStatus(a.account, m.status);
        if (a.kind != m.kind) revert KindNotOpen(a.kind);
        if (a.meter == a.account) revert KeyUnusable(a.meter);
        // The others of several know the one that stands for them.
        address meter = _keys[id].meter;
        bool hasSeveral = _furtherMeters[id].length != 0;
        if (hasSeveral && (a.meter != meter || _seats[meter].owner != a.account)) revert KeyUnusable(a.meter);
        _requireFreshMeter(a.meter);
    }

    function _requireFresh(address account, address meter) private view {
        if (account == address(0) || idOf(account) != 0 || _formerOf[account] != 0) revert KeyUnusable(account);
        if (meter == account) revert KeyUnusable(meter);
        _requireFreshMeter(meter);
    }

    /// A meter stays where it is when its member moves out: the next one may bring it, for the days after the last of that member.
    /// Who had it before that one is read by it no more.
    function _requireFreshMeter(address meter) private view {
        Seat storage seat = _seats[meter];
        bool isTaken = seat.owner != address(0) && _standings[seat.owner].status != Status.Exited;
        if (isTaken || !_isOver(seat.firstDay)) revert KeyUnusable(meter);
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
