"""Reads the numbers: from tallies and facts, never from incidents; and computes facts from what was recorded."""
