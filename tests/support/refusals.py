"""Expecting a contract to refuse, with every number of its error."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dem.errors import RefusedError


def described(error: str, **arguments: object) -> str:
    """An error in the words of the chain connection."""
    return f"{error}({', '.join(f'{name}={_readable(value)}' for name, value in arguments.items())})"


@contextmanager
def refused(error: str, **arguments: object) -> Iterator[None]:
    """The transaction inside must revert with exactly this error."""
    with pytest.raises(RefusedError) as caught:
        yield
    assert caught.value.why == described(error, **arguments)


def _readable(value: object) -> str:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, str) and value.startswith("0x"):
        return value.lower()
    return str(value)
