"""Thalweg: trajectory analysis of gradient descent on deep linear networks."""
