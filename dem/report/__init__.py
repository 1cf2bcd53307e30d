"""Reports: self-contained HTML pages drawn from output folders, one of a run and one of set-ups side by side."""

from dem.report.comparison import write_comparison
from dem.report.page import write_report

__all__ = ["write_comparison", "write_report"]
