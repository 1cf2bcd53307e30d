"""The configuration of a meter's agent: a TOML file. docs/guide/agent.md describes each key."""

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dem.errors import InputError
from dem.formats import read_settings

_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")


class Broker(BaseModel):
    """Where telegrams come from. password_file, ca_file, certificate, key: paths, relative to the configuration."""

    model_config = ConfigDict(extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(1883, ge=1, le=65_535)
    client_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class Source(BaseModel):
    """A meter. serial: what it calls itself. key_file: its private key, 64 hexadecimal digits.

    rolls_over_at_wh: what its registers begin anew at; None if they never do.
    """

    model_config = ConfigDict(extra="forbid")

    serial: str = Field(min_length=1, max_length=64)
    topic: str = Field(pattern=r"^[^#+\x00]{1,200}$")
    format: Literal["p1", "json"] = "p1"
    key_file: Path
    rolls_over_at_wh: int | None = Field(None, ge=1_000, lt=1 << 63)


class Configuration(BaseModel):
    """Of an agent. state: its database. tolerance_seconds: that a telegram may be older than the end of a period."""

    model_config = ConfigDict(extra="forbid")

    gateway: str = Field(pattern=r"^https?://[^/\s]+$", max_length=200)
    state: Path = Path("agent.sqlite")
    tolerance_seconds: int = Field(60, ge=1, le=300)
    keep_days: int = Field(7, ge=1, le=400)
    broker: Broker
    meters: list[Source] = Field(min_length=1)


def load(path: Path) -> Configuration:
    """Read a configuration. Paths in it are relative to the file.

    Raises:
        InputError: it cannot be read, or a key is unknown or will not do.
    """
    found = read_settings(path, Configuration)
    for what in ("topic", "serial"):
        told = [getattr(meter, what) for meter in found.meters]
        if twice := [one for one in told if told.count(one) > 1]:
            raise InputError(f"{path}, meters", twice[0], f"is the {what} of two meters")
    return _placed(found, path.parent)


def _placed(found: Configuration, folder: Path) -> Configuration:
    def at(path: Path | None) -> Path | None:
        return None if path is None else folder / path

    broker = found.broker
    files = {name: at(getattr(broker, name)) for name in ("password_file", "ca_file", "certificate", "key")}
    meters = [meter.model_copy(update={"key_file": folder / meter.key_file}) for meter in found.meters]
    update = {"state": folder / found.state, "broker": broker.model_copy(update=files), "meters": meters}
    return found.model_copy(update=update)


def secret(path: Path) -> str:
    """The text of a file that nobody else may read.

    Raises:
        InputError: it cannot be read, or others can read it.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise InputError(str(path), None, f"can be read by others: chmod 600 {path}")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), None, f"cannot be read: {error}") from error


def key_of(path: Path) -> bytes:
    """A private key.

    Raises:
        InputError: the file has none, or others can read it.
    """
    text = secret(path)
    if not _KEY.fullmatch(text):
        raise InputError(str(path), None, "holds no private key of 64 hexadecimal digits")
    return bytes.fromhex(text.removeprefix("0x"))
