"""What a study keeps on disk: every finished task, and of which versions and inputs all of it comes."""

import json
import platform
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dem
from dem.community.catalogue import STRATEGIES
from dem.community.scenario import CONFIG, Scenario
from dem.lab.study.design import Setting, Study

FORMAT = 1
MANIFEST = "manifest.json"
PARTS, REPLAYS = "parts", "replays"
"""Folders of what is finished."""
_PACKAGES = ("numpy", "pandas", "power-grid-model", "scipy")


def read_part(path: Path) -> Any:
    """What a finished task left; None if it is not there, or is not whole."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def encoded(record: Any) -> bytes:
    """JSON, its keys in their order: tables come to the same whether a record was read or has just been played."""
    return (json.dumps(record, indent=1, default=str) + "\n").encode()


@cache
def code_hash() -> str:
    """Of all of the package's Python."""
    root = Path(dem.__file__).parent
    return _hash_of({str(path.relative_to(root)): path for path in sorted(root.rglob("*.py"))})


def inputs_of(setting: Setting, scenario: Scenario) -> dict[str, str]:
    """A hash of every file that a setting is read from, by its name."""
    folder = Path(setting.folder)
    named = [CONFIG, *_texts(scenario.config.model_dump())]
    files: dict[str, Path] = {}
    for name in named:
        path = folder / name
        if path.is_file():
            files[name] = path
        elif name and path.is_dir():
            files |= {f"{name}/{inner.name}": inner for inner in sorted(path.iterdir()) if inner.is_file()}
    names = {member.strategy for member in scenario.participants} - set(STRATEGIES)
    for module in {name.partition(":")[0] for name in names if ":" in name}:
        for where in (folder, Path(setting.modules)):
            path = where / f"{module.replace('.', '/')}.py"
            if path.is_file():
                files[f"{module}.py"] = path
                break
    return {name: sha256(path.read_bytes()).hexdigest() for name, path in sorted(files.items())}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _hash_of(files: Mapping[str, Path]) -> str:
    whole = sha256()
    for name, path in files.items():
        whole.update(f"{name}\0{sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def manifest(study: Study, inputs: Mapping[tuple[str, str], Mapping[str, str]], tables: Mapping[str, bytes]) -> bytes:
    """Of which versions, seeds and files a study's tables come, with their hashes; nothing of when or where it ran."""
    days = study.stretches
    record = {
        "format": FORMAT,
        "study": study.model_dump(mode="json", by_alias=True),
        "versions": {
            "dem": version("dem"),
            "python": platform.python_version(),
            **{package: version(package) for package in _PACKAGES},
        },
        "code": code_hash(),
        "seeds": study.every_seed,
        "stretches": [list(stretch) for stretch in days],
        "day_runs": len(study.conditions) * len(study.every_seed) * sum(count for _, count in days),
        "inputs": [{"arm": arm, "point": point, "files": files} for (arm, point), files in inputs.items()],
        "tables": {name: sha256(content).hexdigest() for name, content in sorted(tables.items())},
    }
    return encoded(record)
