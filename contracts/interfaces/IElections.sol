// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// When elections take place; seconds. Number 1 begins at `opening`, each further one a term later: first nominations, then votes.
struct Terms {
    uint64 opening;
    uint32 termLength;
    uint32 nominationPeriod;
    uint32 votingPeriod;
    /// Places to be filled.
    uint8 places;
}

/// What a participant signs to stand for election.
struct Nomination {
    address nominee;
    uint32 election;
}

/// What a participant signs to vote.
struct Ballot {
    address voter;
    uint32 election;
    address nominee;
}

/// A nominee, in the order of nomination.
struct Nominee {
    address account;
    uint32 votes;
}

/// @title Elections
/// @notice Rule 13: participants (admitted consumers and prosumers) elect their representatives into the council, one participant one
/// vote, for a term. Whoever has no ether signs, and anyone brings the message.
interface IElections {
    event Nominated(uint32 indexed election, address indexed nominee);
    event Voted(uint32 indexed election, address indexed voter, address indexed nominee);
    /// Those elected, most votes first.
    event Concluded(uint32 indexed election, address[] elected);

    /// The election's nominations are not, or no longer, taken.
    error NotNominating(uint256 election, uint256 from, uint256 until);
    error NotVoting(uint256 election, uint256 from, uint256 until);
    /// There is no such election: the first has number 1, and none is concluded after a later one.
    error NoSuchElection(uint256 election, uint256 lastConcluded);
    error NotOverYet(uint256 election, uint256 until);
    /// Only consumers and prosumers who are admitted stand and vote.
    error NotAParticipant(address account);
    error AlreadyNominated(uint256 election, address nominee);
    error TooManyNominees(uint256 election, uint256 limit);
    error NotNominated(uint256 election, address nominee);
    /// A vote stands once it is cast.
    error AlreadyVoted(uint256 election, address voter);
    error NotSignedBy(address account, address signer);
    /// Whoever is suspended keeps its seat; who left the market does not.
    error StillAMember(address representative);
    /// Both periods take time and fit into a term; 1 to 16 places; the first election is still to come.
    error BadTerms(Terms terms);

    /// @notice Stands for election.
    function nominate(uint32 election) external;

    /// @notice Takes a signed nomination; anyone may bring it.
    function nominateSigned(Nomination calldata nomination, bytes calldata signature) external;

    /// @notice Votes for a nominee.
    function vote(uint32 election, address nominee) external;

    /// @notice Takes a signed vote; anyone may bring it.
    function voteSigned(Ballot calldata ballot, bytes calldata signature) external;

    /// @notice Seats those with the most votes, of equals who was nominated first; anyone may call once the voting is over. Whoever does not
    /// take part in the market any more or is suspended is passed over. A place without a nominee stays vacant: who was elected before
    /// was so for a term.
    function conclude(uint32 election) external;

    /// @notice Takes the seat of a representative who has left the market; anyone may call.
    function vacate(address representative) external;

    /// @return when elections take place.
    function terms() external view returns (Terms memory);

    /// @return the nominees of an election with their votes.
    function nominees(uint32 election) external view returns (Nominee[] memory);

    /// @return whether the participant of that number has voted.
    function hasVoted(uint32 election, uint32 id) external view returns (bool);

    /// @return number of the newest election that is concluded, 0 before the first.
    function lastConcluded() external view returns (uint32);
}
