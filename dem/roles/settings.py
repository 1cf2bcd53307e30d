"""The settings of roles: TOML files. docs/guide/live.md describes each key; all paths are relative to the file."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from eth_utils.address import is_checksum_address
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from dem.errors import InputError
from dem.formats import read_settings
from dem.gateway.config import Zone
from dem.index import Place, place_of
from dem.model.units import Money, UnitsPerWh, parse_money, parse_tariff
from dem.roles.outbox import is_iban

SPACES = ("eth", "net", "web3")
"""Of a node's methods, those that a gate may let through at all."""
NEVER = ("eth_accounts", "eth_sign", "eth_signTransaction", "eth_signTypedData", "eth_sendTransaction", "eth_mining")
"""Of these, what acts with the node's own key."""
METHODS = (
    *("eth_blockNumber", "eth_call", "eth_chainId", "eth_estimateGas", "eth_feeHistory", "eth_gasPrice"),
    *("eth_getBalance", "eth_getBlockByHash", "eth_getBlockByNumber", "eth_getCode", "eth_getLogs", "eth_getProof"),
    *("eth_getStorageAt", "eth_getTransactionByHash", "eth_getTransactionCount", "eth_getTransactionReceipt"),
    *("eth_maxPriorityFeePerGas", "eth_sendRawTransaction", "eth_syncing", "net_peerCount", "net_version"),
    "web3_clientVersion",
)
"""What this package asks a node."""
FOLDER = "folder"
"""In the context of validation: of the file, to which paths are relative."""


def _checksummed(account: str) -> str:
    if not is_checksum_address(account):
        raise ValueError("must be an address with its checksum (EIP-55)")
    return account


def _iban(text: str) -> str:
    if not is_iban(text):
        raise ValueError("must be an IBAN, without spaces")
    return text


def _exact(parse: Any) -> BeforeValidator:
    """Of an amount, as text: what a float makes of it would not be exact."""

    def read(value: object) -> int:
        if not isinstance(value, str):
            raise ValueError('must be text, such as "0.25", so that it is exact')
        try:
            found: int = parse(value)
        except InputError as error:
            raise ValueError(error.why) from error
        return found

    return BeforeValidator(read)


def _place(named: str, info: ValidationInfo) -> Place:
    return place_of(named, (info.context or {}).get(FOLDER, Path()))


def _relative(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get(FOLDER, Path())
    return folder / path


Address = Annotated[str, AfterValidator(_checksummed)]
Iban = Annotated[str, AfterValidator(_iban)]
File = Annotated[Path, AfterValidator(_relative)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=200)]
Amount = Annotated[Money, _exact(parse_money)]
Price = Annotated[UnitsPerWh, _exact(parse_tariff)]
Hash = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]


class Common(BaseModel):
    """Of every role. name: in logs and metrics. port: of /health and /metrics; without one there are none."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("", max_length=60)
    host: str = "127.0.0.1"
    port: int | None = Field(None, ge=1, le=65_535)
    pause_seconds: float = Field(1.0, ge=0.05, le=600)


class Keyed(Common):
    """Of a role that signs something, or sends transactions."""

    keystore: File
    passphrase_file: File | None = None


class OnChain(Keyed):
    """Of a role with a connection to the chain. network: as --network. folder: with the market's manifest.json."""

    network: str
    folder: File


class Operator(OnChain):
    """standby_seconds: what it leaves to other operators before it does what is due.

    coins: whether it has NRGcoins counted, credited and corrected.
    """

    standby_seconds: int = Field(0, ge=0, le=86_400)
    coins: bool = False


class Registrar(OnChain):
    """admit: "listed", those with papers in the table; "everyone", without papers, for a market of simulated people."""

    admit: Literal["listed", "everyone"] = "listed"
    papers: File = Field(Path("papers.csv"), validate_default=True)


class Treasurer(OnChain):
    """payments: what came in at the bank. gateway: where members bring withdrawals to banks; without it none is paid.

    banks: members' bank accounts. outbox: folder of orders to the bank. depth: blocks on top of what was burned.
    """

    payments: File = Field(Path("payments.csv"), validate_default=True)
    first_payment: Amount | None = None
    """Paid in once for every member that has none, as if it had come: for a market of simulated people."""
    gateway: Url | None = None
    banks: File = Field(Path("banks.csv"), validate_default=True)
    outbox: File = Field(Path("payouts"), validate_default=True)
    payer_name: str = Field("", max_length=70)
    payer_iban: Iban | None = None
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$")
    depth: int = Field(64, ge=0)

    @model_validator(mode="after")
    def _has_a_payer(self) -> "Treasurer":
        if self.gateway is not None and not (self.payer_name and self.payer_iban):
            raise ValueError("payer_name and payer_iban have to say from which account it pays, where it has a gateway")
        return self


class Supplier(OnChain):
    """tariffs: what it publishes; days that the table does not know have the standing tariff."""

    tariffs: File = Field(Path("tariffs.csv"), validate_default=True)


class Desk(OnChain):
    """offers: what the wholesale desk can trade in the upper market; nothing on days that the table does not know."""

    offers: File = Field(Path("offers.csv"), validate_default=True)


class Dispatcher(OnChain):
    """grid: folder with the tables of the network. buses: where members are connected. expected: what of a day."""

    grid: File = Field(Path("grid"), validate_default=True)
    buses: File = Field(Path("buses.csv"), validate_default=True)
    expected: File = Field(Path("expected.csv"), validate_default=True)


class Intermediary(OnChain):
    """pool: its name; without one it orders for its clients in the market. commission: per kWh, as text.

    clients: what is expected of them. quotes: at which it deals in its pool; without one its clients meet each other.
    """

    pool: str = Field("", max_length=60)
    commission: Annotated[Price, Field(ge=0)] | None = None
    clients: File = Field(Path("clients.csv"), validate_default=True)
    quotes: File = Field(Path("quotes.csv"), validate_default=True)


class Carrier(OnChain):
    """inbox: folder of what was taken. It listens at `port`."""

    inbox: File = Field(Path("inbox"), validate_default=True)
    port: int = Field(ge=1, le=65_535)


class Clerk(OnChain):
    """approve: proposals that the seat wants, in the words in which `council show` prints them."""

    approve: list[str] = []
    credit_limits: dict[Address, Amount] = {}


class Household(Keyed):
    """gateway: all that it knows of the market. Prices are per kWh, before fees, as text."""

    gateway: Url
    meter: Address
    kind: Literal["consumer", "prosumer"] = "consumer"
    import_capacity_wh: int = Field(ge=0, lt=1 << 40)
    export_capacity_wh: int = Field(0, ge=0, lt=1 << 40)
    feeder: str = Field("", max_length=31)
    documents: Hash = "0x" + "00" * 32
    buy_at_most: Price | None = None
    sell_at_least: Price | None = None
    expected: File | None = None
    pause_seconds: float = Field(3.0, ge=0.05, le=600)


class Meter(Keyed):
    """readings: what it shows. bring: a metering gateway; without one the gateway takes its sheets."""

    gateway: Url
    readings: File
    bring: Url | None = None
    pause_seconds: float = Field(3.0, ge=0.05, le=600)


class Gate(Common):
    """Before a node. methods: what may be asked. senders: accounts whose transactions pass. batch: questions at once.

    certificate, private_key: of its TLS. clients: certificates, or their authority, of who may connect; without these
    three it listens on this machine alone.
    """

    node: Url
    port: int = Field(ge=1, le=65_535)
    methods: list[str] = list(METHODS)
    senders: list[Address] = []
    batch: int = Field(1_000, ge=1, le=10_000)
    requests_per_minute: int = Field(6_000, ge=1)
    certificate: File | None = None
    private_key: File | None = None
    clients: File | None = None

    @model_validator(mode="after")
    def _closed(self) -> "Gate":
        files = [self.certificate, self.private_key, self.clients]
        if any(files) and not all(files):
            raise ValueError("certificate, private_key and clients belong together")
        if not any(files) and not ip_address(self.host).is_loopback:
            raise ValueError("host: without certificates of clients it listens on 127.0.0.1 alone")
        for method in self.methods:
            if method.partition("_")[0] not in SPACES or method in NEVER:
                raise ValueError(f"methods: {method} is for nobody but who runs the node")
        return self


class Biller(Common):
    """index: as `index --follow` keeps it, a file or the URL of a database. bills: folder of the book.

    series: what numbers of bills begin with. depth: blocks above a day's end from which on the chain keeps it.
    """

    folder: File
    index: Annotated[str | Path, AfterValidator(_place)]
    bills: File
    series: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$")
    timezone: Zone = "UTC"
    depth: int = Field(64, ge=0)
    pause_seconds: float = Field(5.0, ge=0.05, le=600)


T = TypeVar("T", bound=Common)


def read(path: Path, kind: type[T]) -> T:
    """The settings in a file.

    Raises:
        InputError: it cannot be read, or a key is missing, unknown or will not do.
    """
    return read_settings(path, kind, {FOLDER: path.parent.resolve()})
