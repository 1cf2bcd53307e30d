"""The package as it is installed: a wheel of its own, away from the checkout, and its one command `dem`."""

import json
import os
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from zipfile import ZipFile

import pytest
from support.commands.shell import PROJECT, TIMEOUT

from dem.commands import ABOUT, CONTENTS, cli

UV = Path(sys.executable).with_name("uv")
DEM = [sys.executable, "-c", "from dem.commands import cli; cli(prog_name='dem')"]


def call(words: Sequence[str | Path], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command away from the checkout, with a home of its own; what it prints is plain."""
    env = {"PATH": os.environ["PATH"], "HOME": str(cwd), "NO_COLOR": "1", "TERM": "dumb", **environment}
    done = subprocess.run([*map(str, words)], cwd=cwd, env=env, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the project's build backend, which uv brings along."""
    out = tmp_path_factory.mktemp("wheel")
    call([UV, "build", "--wheel", "--offline", "--out-dir", out, PROJECT], out)
    [built] = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`dem` in an environment of its own, in which the libraries of this one can be imported and the checkout not."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home / "venv", symlinks=True)
    python = home / "venv" / "bin" / "python"
    call([UV, "pip", "install", "--offline", "--no-deps", "--python", python, wheel], home)
    [packages] = (home / "venv" / "lib").glob("python3*/site-packages")
    libraries = [entry for entry in sys.path if entry.endswith("site-packages")]
    (packages / "libraries.pth").write_text("\n".join(libraries or [sysconfig.get_path("purelib")]) + "\n")
    return home / "venv" / "bin" / "dem"


def test_the_wheel_has_all_that_running_needs_and_nothing_else(wheel):
    names = [name for name in ZipFile(wheel).namelist() if not name.endswith((".py", "/"))]
    data = {name for name in names if name.startswith("dem/")}
    assert {"dem/chain/contracts.json.gz", "dem/chain/ape-config.yaml"} <= data
    assert "dem/scenarios/rural-sunday/scenario.toml" in data
    assert "dem/scenarios/data/NOTICE.md" in data
    assert {Path(name).parts[0] for name in names} == {"dem", "dem-0.1.0.dist-info"}
    assert wheel.stat().st_size < 4_000_000


def test_the_installed_command_plays_the_demo_away_from_the_checkout(program, tmp_path):
    where = call([program.with_name("python"), "-c", "import dem; print(dem.__file__)"], tmp_path).stdout
    assert Path(where.strip()).is_relative_to(program.parents[1])

    played = call([program, "demo"], tmp_path)
    out = tmp_path / "out" / "rural-sunday"
    assert "Orders accepted / replaced / rejected" in played.stdout
    assert all(check["ok"] for check in json.loads((out / "run.json").read_text(encoding="utf-8"))["invariants"])
    assert (out / "report.html").exists()
    checked = call([program, "reconcile", "out/rural-sunday"], tmp_path)
    assert checked.stdout.count("ok  ") == 8


def test_the_help_is_a_table_of_contents_and_comes_at_once(tmp_path):
    before = os.times().children_user + os.times().children_system
    began = time.monotonic()
    text = call([*DEM, "--help"], tmp_path, PYTHONPATH=str(PROJECT)).stdout
    spent = os.times().children_user + os.times().children_system - before
    assert min(spent, time.monotonic() - began) < 1.0
    at = [text.index(f"{chapter}:\n") for chapter in CONTENTS]
    assert at == sorted(at)
    for name, about in ABOUT.items():
        assert f"  {name.ljust(9)}  {about}\n" in text


def test_every_command_is_called_by_ape_as_well():
    assert set(ABOUT) == {path.stem for path in (PROJECT / "scripts").glob("*.py")}
    for name, about in ABOUT.items():
        command = import_module(f"dem.commands.{name}").cli
        assert command.short_help == about
        script = (PROJECT / "scripts" / f"{name}.py").read_text(encoding="utf-8")
        assert script == f'"""`ape run {name}`."""\n\nfrom dem.commands.{name} import cli\n\n__all__ = ["cli"]\n'
        assert "ape run" not in command.help
        assert cli.get_command(None, name) is command


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("dem re", ["report", "reconcile"]),
        ("dem co", ["compare", "council"]),
        ("dem --v", ["--version"]),
        ("dem day --se", ["--setup-time"]),
        ("dem council a", ["announce-sealer", "approve"]),
    ],
)
def test_a_shell_completes_commands_and_options(typed, offered, tmp_path):
    asked = {"_DEM_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    told = call(DEM, tmp_path, PYTHONPATH=str(PROJECT), **asked)
    assert [line.partition(",")[2] for line in told.stdout.splitlines()] == offered
