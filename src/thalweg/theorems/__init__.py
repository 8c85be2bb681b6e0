"""What is promised: one file per paper, every result an executable certificate."""

from thalweg._core.shelf import Shelf

shelf = Shelf("thalweg.theorems", "AbstractTheorem", by_paper=True)
