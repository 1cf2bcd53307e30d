"""What commands spend their first seconds on, done once: the server imports this before any command is forked from it.

Libraries and the package are imported, and ape has read the project's settings and found its plugins. Nothing is
connected yet.
"""

from importlib import import_module

import ape

from dem.commands import ABOUT

for library in (
    *("ape._cli", "ape_run._cli", "ape_accounts", "ape_ethereum", "ape_foundry", "ape_node.provider", "ape_pm"),
    *("ape_solidity", "ape_test.provider", "ape.managers.chain", "ape.managers.converters"),
    *("eth.vm.forks", "eth_tester", "matplotlib.pyplot", "dem.report"),
    *("dem.chain.networks", "dem.deployment.access", "dem.deployment.health", "dem.drive.book", "dem.drive.run"),
    *("dem.drive.set_ups", "dem.gateway.bills.drawing", "dem.governance.council", "dem.governance.sealers"),
    *("dem.index.service", "dem.lab.study", "dem.relay.late", "dem.report.study", "dem.results.recheck"),
    *(f"dem.commands.{name}" for name in ABOUT),
):
    import_module(library)

PROJECT_NETWORKS = ape.project.config.networks
ECOSYSTEMS = ape.networks.ecosystems
