"""Give each validator of compose.yaml its key, the genesis, its peers and whom it lets send transactions.

    prepare.py MADE ACCOUNT...

MADE: the folder that `besu operator generate-blockchain-config` made; ACCOUNT: addresses that may send transactions.
"""

import json
import re
import shutil
import sys
from pathlib import Path

NETWORK = Path(__file__).resolve().parent / "network"
ADDRESS = re.compile("0x[0-9a-fA-F]{40}")


def prepare(made: Path, accounts: list[str]) -> None:
    keys = sorted((made / "keys").iterdir())
    hosts = [f"172.28.0.{10 + number}" for number in range(1, len(keys) + 1)]
    public = [(folder / "key.pub").read_text(encoding="utf-8").strip().removeprefix("0x") for folder in keys]
    enodes = [f"enode://{key}@{host}:30303" for key, host in zip(public, hosts, strict=True)]
    allowed = f"nodes-allowlist={json.dumps(enodes)}\naccounts-allowlist={json.dumps(accounts)}\n"
    for number, folder in enumerate(keys, start=1):
        config = NETWORK / f"node-{number}"
        config.mkdir(parents=True)
        shutil.copy(folder / "key", config / "key")
        shutil.copy(made / "genesis.json", config / "genesis.json")
        (config / "static-nodes.json").write_text(json.dumps(enodes), encoding="utf-8")
        (config / "permissions.toml").write_text(allowed, encoding="utf-8")


if __name__ == "__main__":
    made, *accounts = sys.argv[1:]
    if not accounts or not all(map(ADDRESS.fullmatch, accounts)):
        sys.exit(__doc__)
    prepare(Path(made), accounts)
