"""Data sets by name."""

from thalweg._core.shelf import Shelf

shelf = Shelf("thalweg.problem.datasets", "AbstractDataset")
