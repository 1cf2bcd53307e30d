"""Writes docs/guide/gateway.openapi.json, the gateway's interface, anew from its code."""

import json
from pathlib import Path
from typing import Any

from dem.gateway.app import describe

PATH = Path(__file__).resolve().parent.parent / "docs" / "guide" / "gateway.openapi.json"


def text(document: dict[str, Any]) -> str:
    """The file."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(describe()), encoding="utf-8")
