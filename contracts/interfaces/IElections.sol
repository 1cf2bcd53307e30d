// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// When elections take place; seconds. Number 1 begins at `opening`, each further one a term later: first nominations,
/// then ballots, which are closed, then the count, for which they are opened.
struct Terms {
    /// Unix time at which the first election begins.
    uint64 opening;
    uint32 termLength;
    uint32 nominationPeriod;
    uint32 votingPeriod;
    uint32 countingPeriod;
    /// Places to be filled.
    uint8 places;
}

/// What a participant signs to stand for election.
struct Nomination {
    /// Who stands, and signs.
    address nominee;
    /// Number of the election, from 1.
    uint32 election;
}

/// What a participant signs to vote: a closed ballot.
struct Ballot {
    /// Who votes, and signs.
    address voter;
    /// Number of the election, from 1.
    uint32 election;
    /// EIP-712 digest of the opening, for this chain and this contract.
    bytes32 commitment;
    /// Higher than that of the ballot whose place it takes, from 1.
    uint40 sequence;
}

/// What a closed ballot says. Nobody signs it: who knows the salt is the voter, or was told by it.
struct Opening {
    /// Number of the election, from 1.
    uint32 election;
    /// Number of the voter in the registry: a copy of a ballot is nobody else's vote.
    uint32 id;
    /// Who gets the vote.
    address nominee;
    /// 32 bytes that nobody guesses, of this ballot alone.
    bytes32 salt;
    /// That of the ballot.
    uint40 sequence;
}

/// A nominee, in the order of nomination.
struct Nominee {
    address account;
    uint32 votes;
}

/// @title Elections
/// @notice Rule 13: participants (admitted consumers and prosumers with a meter) elect their representatives into the council, one
/// participant one vote, for a term. Whoever has no ether signs, and anyone brings the message. A ballot is closed until the
/// voting is over, so that nobody votes by what others have voted.
interface IElections {
    /// Somebody stands for election.
    /// @param election its number, from 1.
    /// @param nominee address of the participant.
    event Nominated(uint32 indexed election, address indexed nominee);

    /// A participant has voted, for the first time or anew.
    /// @param election its number, from 1.
    /// @param id number of the voter in the registry.
    /// @param commitment EIP-712 digest of the ballot's opening.
    /// @param sequence of the ballot.
    event Voted(uint32 indexed election, uint32 indexed id, bytes32 commitment, uint40 sequence);

    /// A ballot is opened, and counts.
    /// @param election its number, from 1.
    /// @param id number of the voter in the registry.
    /// @param nominee address of whom it is for, as it was nominated.
    event Opened(uint32 indexed election, uint32 indexed id, address indexed nominee);

    /// The votes are counted.
    /// @param election its number, from 1.
    /// @param elected addresses of those elected, most votes first; they take their seats in this transaction.
    event Concluded(uint32 indexed election, address[] elected);

    /// The election's nominations are not, or no longer, taken.
    /// @param election its number, from 1.
    /// @param from unix time from which they are.
    /// @param until unix time from which they are not any more.
    error NotNominating(uint256 election, uint256 from, uint256 until);

    /// The election's votes are not, or no longer, taken.
    /// @param election its number, from 1.
    /// @param from unix time from which they are.
    /// @param until unix time from which they are not any more.
    error NotVoting(uint256 election, uint256 from, uint256 until);

    /// The election's ballots are not, or no longer, opened.
    /// @param election its number, from 1.
    /// @param from unix time from which they are.
    /// @param until unix time from which they are not any more.
    error NotCounting(uint256 election, uint256 from, uint256 until);

    /// There is no such election: the first has number 1, and none is concluded after a later one, or twice.
    /// @param election number given.
    /// @param lastConcluded number of the newest election that is concluded, 0 for none.
    error NoSuchElection(uint256 election, uint256 lastConcluded);

    /// Ballots are still taken, or opened.
    /// @param election its number, from 1.
    /// @param until unix time at which that ends.
    error NotOverYet(uint256 election, uint256 until);

    /// Only consumers and prosumers who are admitted and have a meter stand and vote.
    error NotAParticipant(address account);

    /// The participant stands for this election already.
    /// @param election its number, from 1.
    /// @param nominee its address.
    error AlreadyNominated(uint256 election, address nominee);

    /// Nobody votes for who does not stand.
    /// @param election its number, from 1.
    /// @param nominee address that was voted for.
    error NotNominated(uint256 election, address nominee);

    /// The member has cast a newer ballot, or this one.
    /// @param id number of the voter in the registry.
    /// @param sequence that was given.
    /// @param last sequence of its newest ballot.
    error StaleMessage(uint32 id, uint256 sequence, uint256 last);

    /// The member has no such ballot: none, or another one.
    /// @param election its number, from 1.
    /// @param id number of the voter in the registry.
    /// @param opening EIP-712 digest of what was given.
    error NotCommitted(uint256 election, uint32 id, bytes32 opening);

    /// A ballot counts once.
    /// @param election its number, from 1.
    /// @param id number of the voter in the registry.
    error AlreadyOpened(uint256 election, uint32 id);

    /// A nomination or a ballot is not signed by the participant it names.
    error NotSignedBy(address account, address signer);

    /// Whoever is suspended keeps its seat; who left the market does not.
    /// @param representative address that was to lose its seat.
    error StillAMember(address representative);

    /// The account has not been replaced: its seat is where it belongs.
    error StillItsAccount(address representative);

    /// All three periods take time and fit into a term; 1 to 16 places; the first election is still to come.
    /// @param terms what was given, see Terms.
    error BadTerms(Terms terms);

    /// @notice Stands for election.
    function nominate(uint32 election) external;

    /// @notice Takes a signed nomination; anyone may bring it.
    function nominateSigned(Nomination calldata nomination, bytes calldata signature) external;

    /// @notice Casts a closed ballot, in the place of the one that the caller may have cast before.
    /// @param commitment EIP-712 digest of its opening.
    /// @param sequence higher than that of the one before.
    function vote(uint32 election, bytes32 commitment, uint40 sequence) external;

    /// @notice Takes a signed ballot; anyone may bring it.
    function voteSigned(Ballot calldata ballot, bytes calldata signature) external;

    /// @notice Opens a ballot, once the voting is over; anyone may bring it. One that nobody opens in time does not count.
    function open(Opening calldata opening) external;

    /// @notice Seats those with the most votes, of equals who was nominated first; anyone may call once the time to open
    /// ballots is over. Whoever does not take part in the market any more or is suspended is passed over. A place without
    /// a nominee stays vacant: who was elected before was so for a term.
    function conclude(uint32 election) external;

    /// @notice Takes the seat of a representative who has left the market; anyone may call.
    function vacate(address representative) external;

    /// @notice Gives the seat of a representative whose account was replaced to its new account; anyone may call.
    function moveSeat(address representative) external;

    /// @return when elections take place.
    function terms() external view returns (Terms memory);

    /// @return the nominees of an election with the votes of ballots that are opened.
    function nominees(uint32 election) external view returns (Nominee[] memory);

    /// @return commitment of the newest ballot of the member of that number, 0 if there is none,
    /// @return sequence of that ballot, and
    /// @return isOpened whether it is opened, and counts.
    function ballotOf(uint32 election, uint32 id)
        external
        view
        returns (bytes32 commitment, uint40 sequence, bool isOpened);

    /// @return number of the newest election that is concluded, 0 before the first.
    function lastConcluded() external view returns (uint32);
}
