"""`ape run late` on a market that was played: what a meter has shown of its gaps is settled by its register.

Its coins are corrected the next time somebody looks.
"""

import json
from pathlib import Path

from support.commands.node import anvil
from support.commands.own import DAYS, OwnHamlet
from support.commands.shell import run

from dem.community.scenario import load_scenario
from dem.offchain.market import ModelMarket

HOME, DAY = "home-5", 3
"""A member that is missing on a day between days on which it is read (`OwnHamlet`)."""


def test_gaps_are_trued_up_once_and_coins_follow(tmp_path: Path) -> None:
    folder, out = OwnHamlet(has_coins=True).write(tmp_path / "hamlet"), tmp_path / "out"
    number = str(ModelMarket(load_scenario(folder)).ids[HOME])
    with anvil() as url:
        network = ("--network", f"ethereum:local:{url}")
        day = run("day", folder, "--out", out, *network)
        assert day.code == 0, day
        events = (out / "events.jsonl").read_bytes()
        over = run("day", folder, "--out", out, *network)
        assert over.code == 0, over
        assert (out / "events.jsonl").read_bytes() == events, "who has come back leaves no second time"
        assert events.count(b'"DayCredited"') == DAYS
        assert b'"CoinsCorrected"' not in events
        done = run("late", out, number, str(DAY), "--true-up", *network)
        assert done.code == 0, done
        assert f"member {number}: the estimates of day 3 are trued up" in " ".join(done.out.split()), done
        again = run("late", out, number, str(DAY), "--true-up", *network)
        assert again.code == 2, again
        assert f"{number} has no estimates on final days up to day 3 that its meter can show" in again.err, again
        corrected = run("day", folder, "--out", out, *network)
        assert corrected.code == 0, corrected
        [event] = [line for line in (out / "events.jsonl").read_text().splitlines() if '"CoinsCorrected"' in line]
        assert {name: json.loads(event)["args"][name] for name in ("id", "day")} == {"id": int(number), "day": DAY}
