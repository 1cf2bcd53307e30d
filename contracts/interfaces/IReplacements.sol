// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// What the old account signs: that its key is not lost.
struct Veto {
    /// Number of the member.
    uint32 id;
    /// The account that was to take its place.
    address account;
}

/// @title Replacements
/// @notice A member that has lost its key keeps all it has under another one (rule 2.5): the registrar announces the new account, the
/// old one may veto for seven days, then anybody carries it out. After a veto the council alone decides.
interface IReplacements {
    /// A member's account is to be replaced.
    /// @param account the new one.
    /// @param from unix time from which anybody carries it out; 2^64 - 1 while the council has not allowed it after a veto.
    event ReplacementAnnounced(uint32 indexed id, address indexed account, uint256 from);

    /// The old account says that its key is not lost.
    event ReplacementVetoed(uint32 indexed id, address indexed account);

    /// The council has decided on it in spite of a veto, and no other veto counts.
    /// @param from unix time from which anybody carries it out.
    event ReplacementAllowed(uint32 indexed id, address indexed account, uint256 from);

    /// Signed by somebody else than the account that is named.
    error NotSignedBy(address account, address signer);
    /// The market's own members without a key have none to lose.
    error NoKeyToLose(uint32 id);
    /// Nobody but the member's own account vetoes.
    error NotItsAccount(uint32 id, address account);
    /// No such replacement is announced.
    error NotAnnounced(uint32 id, address account);
    /// The council has decided, or the member has vetoed already.
    error NoVeto(uint32 id);
    /// The council has allowed a replacement: that is carried out before another one is announced.
    /// @param account the new account that it has allowed.
    error DecidedAlready(uint32 id, address account);
    /// Nobody has vetoed: there is nothing to decide.
    error NotVetoed(uint32 id);
    /// It is too early, or there was a veto and the council has not decided.
    /// @param from unix time from which it can be carried out; 2^64 - 1 for never.
    error NotDueYet(uint32 id, uint256 from);

    /// @notice Announces a member's new account. Takes the place of an earlier announcement. For the registrar.
    /// @param signature of the new account, of a Replacement(uint32 id,address replaced,address account): it takes the place of the one
    /// that the member has now.
    function announce(uint32 id, address account, bytes calldata signature) external;

    /// @notice Vetoes it. For the old account.
    function veto(uint32 id) external;

    /// @notice Takes a veto that the old account has signed; anyone may bring it.
    function vetoSigned(Veto calldata message, bytes calldata signature) external;

    /// @notice Lets the announced account take the member's place in spite of a veto, seven days later. For the council.
    function allow(uint32 id, address account) external;

    /// @notice Carries it out. Anyone may call once it is due.
    function carryOut(uint32 id) external;

    /// @return account the one announced for a member, zero for none.
    /// @return from unix time from which it can be carried out; 2^64 - 1 for never, 0 where none is announced.
    /// @return isVetoed whether the member's account has ever vetoed since it was the member's.
    function replacementOf(uint32 id) external view returns (address account, uint256 from, bool isVetoed);
}
