"""Studies: arms of scenarios played side by side over days and seeds, compared with intervals.

    study = read_study("study.toml")
    found = run_study(study, "out/study")
    found.effects

A study is played by the reference model. A share of it may be played on the contracts, too, and has to come to the
same, to the unit. Whatever is finished is kept, so a study that was killed goes on where it was.
"""

from dem.lab.study.design import Study, read_study
from dem.lab.study.findings import Findings
from dem.lab.study.running import run_study

__all__ = ["Findings", "Study", "read_study", "run_study"]
