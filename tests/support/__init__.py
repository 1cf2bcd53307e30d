"""What tests share.

On ape's chain here, on a bare EVM in `evm`, around the commands in `commands`, for the model in `model`.
"""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
"""The checkout, as the commands are run in it."""
