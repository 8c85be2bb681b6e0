"""Chitour, Liao, Couillet: saddles, invariants, rates and an escape, measured."""
