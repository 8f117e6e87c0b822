"""Everything that changes what this app stores: ratings by people, and the read models behind the numbers."""

from metrics.actions.csat import NotRatable, RatingFixed, rate, settle_rating
from metrics.actions.digesting import ask_for_digest, give_up_digest, send_digest
from metrics.actions.exporting import note_export
from metrics.actions.keeping import read_on, rebuild_batch, rebuild_end, refresh, tally_stale_days

__all__ = [
    "NotRatable",
    "RatingFixed",
    "ask_for_digest",
    "give_up_digest",
    "note_export",
    "rate",
    "read_on",
    "rebuild_batch",
    "rebuild_end",
    "refresh",
    "send_digest",
    "settle_rating",
    "tally_stale_days",
]
