"""What this app stores: what requesters said of the service they got, and the read models behind the numbers."""

from metrics.models.csat import HIGHEST, LOW_FROM, LOWEST, Rating
from metrics.models.facts import DIMENSIONS, Fact, Reading, StaleDay, Tally

__all__ = ["DIMENSIONS", "HIGHEST", "LOWEST", "LOW_FROM", "Fact", "Rating", "Reading", "StaleDay", "Tally"]
