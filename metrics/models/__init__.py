"""What this app stores: what requesters said of the service they got."""

from metrics.models.csat import HIGHEST, LOW_FROM, LOWEST, Rating

__all__ = ["HIGHEST", "LOWEST", "LOW_FROM", "Rating"]
