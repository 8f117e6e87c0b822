"""What this app stores: what requesters said, the read models behind the numbers, and who gets them by mail."""

from metrics.models.csat import HIGHEST, LOW_FROM, LOWEST, Rating
from metrics.models.digests import Digest
from metrics.models.facts import DIMENSIONS, Fact, Reading, StaleDay, Tally

__all__ = ["DIMENSIONS", "HIGHEST", "LOWEST", "LOW_FROM", "Digest", "Fact", "Rating", "Reading", "StaleDay", "Tally"]
