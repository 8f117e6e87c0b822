"""Everything that changes what this app stores."""

from metrics.actions.csat import NotRatable, RatingFixed, rate, settle_rating

__all__ = ["NotRatable", "RatingFixed", "rate", "settle_rating"]
