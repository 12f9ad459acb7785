"""Reports: what a run looks like, from its frames alone."""

from ml4t.backtest.report.document import report_html, write_report
from ml4t.backtest.report.subject import Subject

__all__ = ["Subject", "report_html", "write_report"]
