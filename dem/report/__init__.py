"""Reports: self-contained HTML pages drawn from output folders: of a run, of its members, of set-ups side by side."""

from dem.report.comparison import write_comparison
from dem.report.members import write_members
from dem.report.page import write_report

__all__ = ["write_comparison", "write_members", "write_report"]
