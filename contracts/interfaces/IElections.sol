// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// When elections take place; seconds. Number 1 begins at `opening`, each further one a term later: first nominations,
/// then votes.
struct Terms {
    /// Unix time at which the first election begins.
    uint64 opening;
    uint32 termLength;
    uint32 nominationPeriod;
    uint32 votingPeriod;
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

/// What a participant signs to vote.
struct Ballot {
    /// Who votes, and signs.
    address voter;
    /// Number of the election, from 1.
    uint32 election;
    /// Who gets the vote.
    address nominee;
}

/// A nominee, in the order of nomination.
struct Nominee {
    address account;
    uint32 votes;
}

/// @title Elections
/// @notice Rule 13: participants (admitted consumers and prosumers with a meter) elect their representatives into the council, one
/// participant one vote, for a term. Whoever has no ether signs, and anyone brings the message.
interface IElections {
    /// Somebody stands for election.
    /// @param election its number, from 1.
    /// @param nominee address of the participant.
    event Nominated(uint32 indexed election, address indexed nominee);

    /// A participant has voted.
    /// @param election its number, from 1.
    /// @param voter address of the participant.
    /// @param nominee address of whom it voted for.
    event Voted(uint32 indexed election, address indexed voter, address indexed nominee);

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

    /// There is no such election: the first has number 1, and none is concluded after a later one, or twice.
    /// @param election number given.
    /// @param lastConcluded number of the newest election that is concluded, 0 for none.
    error NoSuchElection(uint256 election, uint256 lastConcluded);

    /// Votes are still taken.
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

    /// A vote stands once it is cast.
    /// @param election its number, from 1.
    /// @param voter address of the participant.
    error AlreadyVoted(uint256 election, address voter);

    /// A nomination or a vote is not signed by the participant it names.
    error NotSignedBy(address account, address signer);

    /// Whoever is suspended keeps its seat; who left the market does not.
    /// @param representative address that was to lose its seat.
    error StillAMember(address representative);

    /// The account has not been replaced: its seat is where it belongs.
    error StillItsAccount(address representative);

    /// Both periods take time and fit into a term; 1 to 16 places; the first election is still to come.
    /// @param terms what was given, see Terms.
    error BadTerms(Terms terms);

    /// @notice Stands for election.
    function nominate(uint32 election) external;

    /// @notice Takes a signed nomination; anyone may bring it.
    function nominateSigned(Nomination calldata nomination, bytes calldata signature) external;

    /// @notice Votes for a nominee.
    function vote(uint32 election, address nominee) external;

    /// @notice Takes a signed vote; anyone may bring it.
    function voteSigned(Ballot calldata ballot, bytes calldata signature) external;

    /// @notice Seats those with the most votes, of equals who was nominated first; anyone may call once the voting is
    /// over. Whoever does not take part in the market any more or is suspended is passed over. A place without a
    /// nominee stays vacant: who was elected before was so for a term.
    function conclude(uint32 election) external;

    /// @notice Takes the seat of a representative who has left the market; anyone may call.
    function vacate(address representative) external;

    /// @notice Gives the seat of a representative whose account was replaced to its new account; anyone may call.
    function moveSeat(address representative) external;

    /// @return when elections take place.
    function terms() external view returns (Terms memory);

    /// @return the nominees of an election with their votes.
    function nominees(uint32 election) external view returns (Nominee[] memory);

    /// @return whether the participant of that number has voted.
    function hasVoted(uint32 election, uint32 id) external view returns (bool);

    /// @return number of the newest election that is concluded, 0 before the first.
    function lastConcluded() external view returns (uint32);
}
