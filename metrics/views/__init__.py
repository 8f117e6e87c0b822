"""The pages of the numbers: one that shows them all, one for each, and everything behind them as CSV."""

from metrics.views.digests import digests
from metrics.views.exports import export_numbers, export_rows
from metrics.views.pages import metric, overview

__all__ = ["digests", "export_numbers", "export_rows", "metric", "overview"]
