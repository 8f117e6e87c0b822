"""Tracked tables of every kind, only for the tests of the history."""
