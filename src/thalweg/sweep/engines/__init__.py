"""Where the runs of a sweep are carried out."""

from thalweg._core.shelf import Shelf

shelf = Shelf("thalweg.sweep.engines", "AbstractEngine")
