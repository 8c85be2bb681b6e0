"""Chains, spectra and three arithmetics; knows nothing of learning."""
