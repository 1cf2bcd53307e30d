"""The configuration of a gateway: a TOML file. docs/guide/gateway.md describes each key."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from eth_utils.address import is_checksum_address
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dem.formats import read_settings
from dem.gateway.rights import OFFICES, Role
from dem.index import Place, place_of
from dem.metering.record import MOST_BYTES


def _checksummed(account: str) -> str:
    if not is_checksum_address(account):
        raise ValueError("must be an address with its checksum (EIP-55)")
    return account


def _office(role: Role) -> Role:
    if role not in OFFICES:
        raise ValueError(f"must be one of {', '.join(OFFICES)}")
    return role


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be a time zone such as Europe/Vienna")
    return name


_LONGEST = 3_653
"""Days: ten years."""
Address = Annotated[str, AfterValidator(_checksummed)]
Office = Annotated[Role, AfterValidator(_office)]
Zone = Annotated[str, AfterValidator(_zone)]


class Limits(BaseModel):
    """What one address of the network may ask for."""

    model_config = ConfigDict(extra="forbid")

    requests_per_minute: int = Field(600, ge=1)
    messages_per_minute: int = Field(240, ge=1)
    logins_per_minute: int = Field(20, ge=1)
    body_bytes: int = Field(4 << 20, ge=1_024, le=64 << 20)
    body_seconds: float = Field(10, gt=0, le=300)
    deliveries_per_minute: int = Field(20, ge=1)
    delivery_bytes: int = Field(16 << 20, ge=1_024, le=MOST_BYTES)
    batch: int = Field(1_000, ge=1, le=10_000)
    streams: int = Field(500, ge=1)


class Retention(BaseModel):
    """For how many days the gateway remembers what is about people. docs/guide/privacy.md says why.

    messages: what they signed, after it was done with. values: what metering operators said of their meters;
    agreed_values: of members who have agreed to that.
    accesses: who has read about them. journal: states of messages, for streams that go on.
    """

    model_config = ConfigDict(extra="forbid")

    messages: int = Field(400, ge=40, le=_LONGEST)
    values: int = Field(1_096, ge=40, le=_LONGEST)
    agreed_values: int = Field(_LONGEST, ge=40, le=_LONGEST)
    accesses: int = Field(1_096, ge=40, le=_LONGEST)
    journal: int = Field(90, ge=1, le=_LONGEST)


class NetworkTables(BaseModel):
    """What a dispatcher has, relative to the market's folder: of its network, of who is connected where, and of what is
    expected of them.
    """

    model_config = ConfigDict(extra="forbid")

    grid: Path = Path("grid")
    buses: Path = Path("buses.csv")
    expected: Path = Path("expected.csv")


class Configuration(BaseModel):
    """Of a gateway. folder: of the market, with its manifest.json. index: the path of a file, relative to that, or the
    URL of a database. state: the URL of one; without, a file in the folder.

    meters: participant of each meter, by the name that its metering operator calls it. name, currency, timezone: of the
    market, on its pages. expires: the last day on which an account has its offices. persons_per_day: who reads about
    more is named. bills: folder of the book of bills. network: tables for the dispatcher's page. least_traders: on each
    side of the auction, for the public to be told what was traded.
    workers: processes that answer.
    relayer: an account of ape's that pays for transactions; or keystore, the file of one.
    """

    model_config = ConfigDict(extra="forbid")

    folder: Path
    index: str = "index.sqlite"
    state: str = ""
    host: str = "127.0.0.1"
    port: int = Field(8040, ge=1, le=65_535)
    url: str = Field("", pattern=r"^(https?://[^/\s]+)?$", max_length=200)
    relayer: str | None = None
    keystore: Path | None = None
    passphrase_file: Path | None = None
    depth: int = Field(64, ge=1)
    workers: int = Field(1, ge=1, le=64)
    token_seconds: int = Field(3_600, ge=60, le=86_400)
    limits: Limits = Limits.model_construct()
    retention: Retention = Retention.model_construct()
    offices: dict[Office, list[Address]] = {}
    expires: dict[Address, date] = {}
    name: str = Field("DEM", min_length=1, max_length=60)
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$")
    timezone: Zone = "UTC"
    bills: Path = Path("bills")
    network: NetworkTables | None = None
    least_traders: int = Field(5, ge=1)
    persons_per_day: int = Field(100, ge=1)
    meters: dict[str, Annotated[int, Field(ge=1, le=2**31 - 1)]] = {}

    @property
    def public_url(self) -> str:
        """What users call the gateway."""
        return self.url or f"http://{self.host}:{self.port}"

    @property
    def domain(self) -> str:
        """Its part that a login names."""
        return self.public_url.partition("://")[2]

    @property
    def index_place(self) -> Place:
        """The index."""
        return place_of(self.index, self.folder)

    @property
    def state_url(self) -> str:
        """The database of what the gateway remembers."""
        return self.state or f"sqlite:///{(self.folder / 'gateway.sqlite').resolve()}"

    @property
    def bills_path(self) -> Path:
        """Folder of the book of bills."""
        return self.folder / self.bills

    @property
    def zone(self) -> ZoneInfo:
        """Of local time."""
        return ZoneInfo(self.timezone)

    def roles_of(self, account: str) -> frozenset[Role]:
        """The offices of an account, be they over or not."""
        return frozenset(role for role, accounts in self.offices.items() if account in accounts)

    def ended(self, account: str, now: datetime) -> date | None:
        """The last day of an account's offices, if it is over where the market is."""
        last = self.expires.get(account)
        return last if last is not None and now.astimezone(self.zone).date() > last else None


def load(path: Path) -> Configuration:
    """Read a configuration. Its folder is relative to the file.

    Raises:
        InputError: it cannot be read, or a key is unknown or will not do.
    """
    found = read_settings(path, Configuration)
    own = {name: getattr(found, name) for name in ("folder", "keystore", "passphrase_file")}
    return found.model_copy(update={name: (path.parent / file).resolve() for name, file in own.items() if file})
