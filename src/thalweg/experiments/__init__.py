"""Published figures: one file a figure or table, each drawn with one command."""

from thalweg._core.shelf import Shelf

shelf = Shelf("thalweg.experiments", "AbstractExperiment", by_paper=True)
