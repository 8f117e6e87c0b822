"""Everything that changes what this app stores: ratings by people, and the read models behind the numbers."""

from metrics.actions.csat import NotRatable, RatingFixed, rate, settle_rating
from metrics.actions.exporting import note_export
from metrics.actions.keeping import read_on, rebuild_batch, rebuild_end, refresh, tally_stale_days

__all__ = [
    "NotRatable",
    "RatingFixed",
    "note_export",
    "rate",
    "read_on",
    "rebuild_batch",
    "rebuild_end",
    "refresh",
    "settle_rating",
    "tally_stale_days",
]
