"""Conserved quantities of two-layer nets: figures of Zhao et al., 2023."""
