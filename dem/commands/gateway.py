"""Serve a market to people's software."""

import gc
import socket
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from dem.chain.options import on_chain
from dem.commands import ABOUT
from dem.console import console, fail_readably
from dem.errors import ChainError, DemError, RequestError

_SECONDS_TO_END, _KEEP_SECONDS = 3, 30
_BACKLOG = 2_048
_SWITCH_SECONDS = 0.0005


@on_chain(short_help=ABOUT["gateway"])
@click.option("--config", type=click.Path(path_type=Path), required=True, help="Its configuration, a TOML file.")
@fail_readably
def cli(config: Path) -> None:
    """Serve the market that --config names, until interrupted.

    People's software reads from the market's index, and brings messages that it has signed. docs/guide/gateway.md
    describes the configuration and the protocol. Beside it, `index --follow` keeps the index.
    """
    try:
        import uvicorn
        from web3.types import RPCEndpoint

        from dem.chain.accounts import open_keystore
        from dem.chain.connection import Chain
        from dem.deployment.market import MANIFEST, RELAYER, connect, role_keys
        from dem.gateway.app import make_app
        from dem.gateway.approvals import Approvals
        from dem.gateway.bills.book import Book
        from dem.gateway.config import load
        from dem.gateway.evidence import Proofs
        from dem.gateway.network import Flows
        from dem.gateway.parts import Parts
        from dem.gateway.processes import Notice, run_together
        from dem.gateway.reads import Index
        from dem.gateway.relaying import ChainPort, Relaying
        from dem.gateway.state import Store
        from dem.governance.elections import ElectionTerms
        from dem.relay.batches import Relay
    except ModuleNotFoundError as error:
        why = f"the gateway needs {error.name}, which is not installed: `make setup`, or pip install 'dem[gateway]'"
        raise DemError(why) from None
    configuration = load(config)
    chain = Chain.connected()
    if chain.is_embedded:
        raise ChainError("a gateway needs a chain that stays: name a node with --network")
    keys = role_keys(chain, configuration.relayer) if configuration.keystore is None else {}
    if configuration.keystore is not None:
        keys = {RELAYER: open_keystore(configuration.keystore, configuration.passphrase_file)}
    market = connect(chain, keys, configuration.folder / MANIFEST)
    index = Index(configuration.index_place)
    try:
        index.head()
    except RequestError:
        raise ChainError(f"{index.where}: there is no index; make one with `index --follow`") from None
    finally:
        index.close()
    notice, where = Notice(), (configuration.host, configuration.port)
    terms = ElectionTerms(*market.contract("Elections").functions.terms().call())
    Store(configuration.state_url).close()  # its tables are there before anybody looks

    def answer_of(method: str, parameters: list[Any]) -> Mapping[str, Any]:
        [answer] = chain.ask([(RPCEndpoint(method), parameters)])
        return answer

    def ask(method: str, parameters: list[Any]) -> Any:
        answer = answer_of(method, parameters)
        if answer.get("result") is None:
            raise ChainError(f"the node does not answer {method}: {answer.get('error')}")
        return answer["result"]

    def bring() -> None:
        chain.connect_anew()
        port, store = ChainPort(Relay(market)), Store(configuration.state_url)
        Relaying(store, port, market.addresses, configuration.depth).run(notice)

    def serve(listening: socket.socket) -> None:
        chain.connect_anew()
        index = Index(configuration.index_place)
        parts = Parts(
            configuration,
            chain.id,
            chain.genesis,
            market.addresses,
            market.calendar,
            index,
            Store(configuration.state_url),
            notice,
            bills=Book(configuration.bills_path),
            elections=terms,
            proofs=Proofs(index, market.calendar, chain.id, market.addresses, ask),
            approvals=Approvals(index, chain.id, market.addresses["Council"], answer_of),
            flows=Flows.of(configuration, index, market.calendar),
        )
        # The threads that ask the databases take turns with the one that writes answers: by default it waits 5 ms for
        # each of them, again and again.
        sys.setswitchinterval(_SWITCH_SECONDS)
        app = make_app(parts)
        gc.freeze()
        # Streams have no end: who is told to stop waits for them for a moment only.
        config = uvicorn.Config(
            app,
            log_level="warning",
            timeout_keep_alive=_KEEP_SECONDS,
            timeout_graceful_shutdown=_SECONDS_TO_END,
        )
        uvicorn.Server(config).run([listening])

    # What is there by now stays: walking through it for garbage would hold up everybody for a third of a second.
    gc.freeze()
    with socket.create_server(where, backlog=_BACKLOG) as listening:
        console.print(f"gateway of {configuration.folder} at {configuration.public_url}", highlight=False)
        code = run_together([bring, *[partial(serve, listening)] * configuration.workers])
    raise SystemExit(code)
