"""Reports: what a run looks like, from its frames alone."""

from ml4t.backtest.report.comparison_page import comparison_html
from ml4t.backtest.report.document import report_html, write_page, write_report
from ml4t.backtest.report.explanation import explain
from ml4t.backtest.report.export import EXPORTS, export_run
from ml4t.backtest.report.period import daily
from ml4t.backtest.report.subject import Subject

__all__ = [
    "EXPORTS",
    "Subject",
    "comparison_html",
    "daily",
    "explain",
    "export_run",
    "report_html",
    "write_page",
    "write_report",
]
