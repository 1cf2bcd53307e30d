"""The report of a trading day: one self-contained HTML page drawn from the run's output folder."""

from dem.report.page import write_report

__all__ = ["write_report"]
