"""Arora, Cohen, Golowich, Hu: convergence of descent on deep linear networks."""
