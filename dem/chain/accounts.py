"""Accounts that send transactions, and the encrypted files that keep their keys."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from eth_account import Account as Keys

from dem.errors import InputError

PASSPHRASE = "DEM_PASSPHRASE"
"""Environment variable with the passphrase of a keystore that has no file for it."""
_ROUNDS = 4096
"""Of scrypt, for keys made here: their passphrases are 32 random bytes, which no number of rounds makes safer."""


class Account(Protocol):
    """Whoever sends transactions: an account of ape's, or one whose key is in this process."""

    @property
    def address(self) -> str: ...


@dataclass(frozen=True, slots=True)
class KeyAccount:
    """An account with its key, as hexadecimal digits; it is shown nowhere."""

    address: str
    private_key: str = field(repr=False)

    @property
    def key(self) -> bytes:
        """The key's 32 bytes."""
        return bytes.fromhex(self.private_key.removeprefix("0x"))


def account_of(key: bytes) -> KeyAccount:
    """The account of a key."""
    return KeyAccount(str(Keys.from_key(key).address), f"0x{key.hex()}")


def open_keystore(path: Path, passphrase_file: Path | None = None) -> KeyAccount:
    """The account in a keystore of eth-account, ape or geth (version 3).

    passphrase_file: its first line; without one the environment has the passphrase.

    Raises:
        InputError: file or passphrase is missing or will not do.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(str(path), None, f"cannot be read ({error.strerror}): name a keystore file") from error
    except ValueError as error:
        raise InputError(str(path), None, "is no keystore: make one with `ape accounts generate`") from error
    passphrase = _passphrase(path, passphrase_file)
    try:
        return account_of(bytes(Keys.decrypt(record, passphrase)))
    except (ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise InputError(str(path), None, f"cannot be opened ({error}): is this its passphrase?") from error


def _passphrase(path: Path, passphrase_file: Path | None) -> str:
    if passphrase_file is None:
        found = os.environ.get(PASSPHRASE)
        if found is None:
            why = f"needs a passphrase: name its file as passphrase_file, or set {PASSPHRASE}"
            raise InputError(str(path), None, why)
        return found
    try:
        return passphrase_file.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(passphrase_file), None, f"cannot be read as the passphrase of {path}") from error


def make_keystore(path: Path, passphrase_file: Path | None) -> KeyAccount:
    """The account of a keystore, which is made with a new key if it is not there."""
    if path.exists():
        return open_keystore(path, passphrase_file)
    account = account_of(bytes(Keys.create().key))
    record = Keys.encrypt(account.key, _passphrase(path, passphrase_file), kdf="scrypt", iterations=_ROUNDS)
    write_secret(path, json.dumps(record))
    return account


def write_secret(path: Path, text: str) -> None:
    """Write a file whole or not at all, which only its owner reads."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(path)
