// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// Whose energy a member would draw, from a day on.
struct SourceList {
    /// Of the member, who signs.
    address account;
    /// By tier and source, ascending, each source once: its tier in the 8 bits from bit 64 on, the first one 0, its number in the 32
    /// bits below, and what the member pays it at most, units/Wh, in the lowest 32. None: it wants no labels.
    bytes32[] wishes;
    uint32 firstDay;
    /// Higher than that of the member's list before.
    uint40 sequence;
}

/// What a source asks for what it feeds in, from a day on.
struct SourcePremium {
    /// Of the member, who signs.
    address account;
    /// Units/Wh.
    uint32 perWh;
    uint32 firstDay;
    /// Higher than that of the member's premium before.
    uint40 sequence;
}

/// @title Labels of sources
/// @notice Whose energy a member draws, by its own preference, and the premium of the source (rule 19). By a final day's readings; the
/// settlement is as it is without.
/// A wish that counts on a day is one word: its tier in the 8 bits from bit 96, then 32 bits each for the numbers of source and consumer
/// and for the premium, units/Wh.
interface ISourceLabels {
    /// A member has named the sources it would draw from.
    /// @param wishes as SourceList has them.
    /// @param firstDay first day they apply to.
    /// @param earliest what was to apply from this day on is replaced.
    /// @param sequence of the list.
    event SourcesChosen(uint32 indexed id, bytes32[] wishes, uint32 firstDay, uint32 earliest, uint40 sequence);

    /// A member has said what it asks as a source.
    /// @param perWh units/Wh.
    /// @param firstDay first day it applies to.
    /// @param earliest what was to apply from this day on is replaced.
    /// @param sequence of the premium.
    event PremiumAsked(uint32 indexed id, uint32 perWh, uint32 firstDay, uint32 earliest, uint40 sequence);

    /// The wishes of a member that count on a final day.
    /// @param wishes a word each, by tier and source; none of who owes a premium.
    event WishesGathered(uint32 indexed id, uint32 indexed day, uint256[] wishes);

    /// All members' wishes and readings are gathered.
    /// @param wishes how many count.
    event DayGathered(uint32 indexed day, uint256 wishes);

    /// The day's labels.
    /// @param wishes by tier, source and consumer.
    /// @param given Wh of each, over the whole day.
    event DayLabelled(uint32 indexed day, uint256[] wishes, uint256[] given);

    /// A consumer has paid the premiums of its labels of a day.
    /// @param units money units.
    event PremiumPaid(uint32 indexed id, uint32 indexed day, uint256 units);

    /// A consumer lacks the money for its premiums of a day: until it pays, these labels are worth nothing, and no wish of it counts.
    /// @param units money units.
    event PremiumOwed(uint32 indexed id, uint32 indexed day, uint256 units);

    /// The message is not signed by its account.
    error NotSignedBy(address account, address signer);
    /// The account is no admitted participant's.
    error NotAMember(address account);
    /// A newer message of the member is known.
    error StaleMessage(uint32 id, uint256 sequence, uint256 last);
    /// More sources than a list may have.
    error TooManySources(uint256 sources, uint256 most);
    /// No wish: not a participant's number or the member's own, not above the wish before, or of a source that is named twice.
    /// @param place in the list, from 0.
    error NoSuchSource(uint256 place);
    /// The day has opened, or is too near for others to answer.
    /// @param earliest first day that may be named.
    error TooLateToAnnounce(uint256 day, uint256 earliest);
    /// No members are to be gathered.
    error NoMembersGiven();
    /// The day is not final yet.
    error DayNotFinal(uint256 day, uint256 lastFinal);
    /// Readings of the day make room for others: it has no labels any more.
    /// @param until unix time from which it is too late.
    error DayLapsed(uint256 day, uint256 until);
    /// Another step of the day comes next.
    error NotTheNextStep(uint256 day);
    /// Not what the steps so far have left of the day.
    error NotLeft(uint256 day);
    /// Not all wishes, each once, in their order.
    /// @param place in the list, from 0.
    error NotInOrder(uint256 place);
    /// Equal rounds come to another level.
    /// @param place of the tier's first wish for this source.
    error WrongLevel(uint256 strip, uint256 place);
    /// There are no levels, or more than the strip has tiers of sources left.
    error NoSuchGroup(uint256 day);
    /// The day has no labels, or not these.
    error NotLabelled(uint256 day);
    /// Each of these has paid, owes still, or has nothing to pay.
    error NothingToPay(uint256 day);

    /// @notice Says whose energy a member would draw. Anyone may bring it.
    function choose(SourceList calldata list, bytes calldata signature) external;

    /// @notice Says what a source asks. Anyone may bring it.
    function ask(SourcePremium calldata premium, bytes calldata signature) external;

    /// @notice Gathers wishes and readings of some more members for a final day. Anyone may call it.
    function gather(uint32 day, uint256 members) external;

    /// @notice Puts the wishes of a day that is gathered in the order of the rounds. Anyone may call it.
    /// @param wishes as they were gathered, by consumer, tier and source.
    /// @param places in that list, of the first one by tier, source and consumer, then of the second one, and so on.
    function arrange(uint32 day, uint256[] calldata wishes, uint256[] calldata places) external;

    /// @notice Gives labels in the day's next strip: for so many tiers of sources as levels are brought. Anyone may call it.
    /// @param net what the members from the first participant on still lack, or have left if below zero: six signed lanes each.
    /// @param wishes of the day, by tier, source and consumer.
    /// @param given Wh of each so far.
    /// @param levels six lanes each, Wh: the most that everybody has of the source who lacks so much.
    function label(
        uint32 day,
        uint256[] calldata net,
        uint256[] calldata wishes,
        uint256[] calldata given,
        uint256[] calldata levels
    ) external;

    /// @notice Pays the premiums of some consumers' labels of a day, from each that has the money. Anyone may call it.
    /// @param ids their numbers, ascending.
    /// @param wishes as DayLabelled has them, and
    /// @param given likewise.
    function pay(uint32 day, uint32[] calldata ids, uint256[] calldata wishes, uint256[] calldata given) external;

    /// @return sequence of a member's newest list.
    function lastListOf(uint32 id) external view returns (uint40);

    /// @return sequence of a member's newest premium.
    function lastPremiumOf(uint32 id) external view returns (uint40);

    /// @return whether the day has its labels.
    function isLabelled(uint256 day) external view returns (bool);

    /// @return days whose premiums a member lacked the money for and has not paid yet.
    function owedDaysOf(uint32 id) external view returns (uint32);

    /// @return nextToGather number of the member from which gathering goes on,
    /// @return strip which is labelled next, and
    /// @return place in the list from which that goes on.
    function progressOf(uint256 day) external view returns (uint32 nextToGather, uint8 strip, uint32 place);
}
