"""`ape run study` as typed: killed and started again it ends the same, and its days are the contracts'."""

import time
from pathlib import Path

import pandas as pd
from support.commands.hamlet import Hamlet
from support.commands.shell import EMBEDDED, Command, run

STUDY = """\
name = "hamlets"
scenario = "hamlet"
seeds = {seeds}
replay = {replay}

[[arms]]
name = "random"

[[arms]]
name = "truthful"
strategy = "truthful"
"""
_SECONDS = 300.0
"""Until a first part is finished, on a busy machine."""


def written(folder: Path, seeds: int, replay: float) -> Path:
    Hamlet(days=3).write(folder / "hamlet")
    path = folder / "study.toml"
    path.write_text(STUDY.format(seeds=seeds, replay=replay))
    return path


def tables(folder: Path) -> dict[str, bytes]:
    """All that it has written but the parts."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_study_that_is_killed_ends_as_one_that_is_not(tmp_path: Path) -> None:
    study, parts = written(tmp_path, seeds=60, replay=0), tmp_path / "killed" / "parts"
    words = "study", study, "--workers", "1", "--no-chain", "--out"
    with Command(*words, tmp_path / "killed") as command:
        until = time.monotonic() + _SECONDS
        while not (parts.exists() and len([*parts.glob("*.json")]) >= 3) and time.monotonic() < until:
            time.sleep(0.01)
        command.process.kill()
    kept = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.json")}
    assert 3 <= len(kept) < 120
    again = run(*words, tmp_path / "killed")
    assert again.code == 0, again
    assert {name: (parts / name).stat().st_mtime_ns for name in kept} == kept
    assert run(*words, tmp_path / "whole").code == 0
    assert tables(tmp_path / "killed") == tables(tmp_path / "whole")


def test_days_of_a_study_are_the_contracts(tmp_path: Path) -> None:
    result = run("study", written(tmp_path, seeds=1, replay=0.1), "--out", tmp_path / "out", *EMBEDDED)
    assert result.code == 0, result
    assert "every table byte for byte and every bill to the unit (2 of 6 day-runs" in result.out
    replays = pd.read_csv(tmp_path / "out" / "replays.csv")
    assert replays["same"].tolist() == [True, True]
    assert sorted(replays["arm"]) == ["random", "truthful"]


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    study = written(tmp_path, seeds=0, replay=0)
    result = run("study", study, "--no-chain")
    assert result.code == 2
    assert (
        result.err.strip()
        == f"error: {study}, seeds: 0 must be 1 to 100000, so many seeds from 1 on, or a list of them"
    )
