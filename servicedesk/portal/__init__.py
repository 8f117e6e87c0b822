"""The requester's pages: report, follow, answer and rate, with or without an account."""
