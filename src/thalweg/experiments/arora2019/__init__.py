"""Arora, Cohen, Golowich, Hu: descent on deep linear networks, measured."""
