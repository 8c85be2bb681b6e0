"""Lecture 6 of EPFL CS-439: its field, its theorem, the catch, and starts that fail."""
