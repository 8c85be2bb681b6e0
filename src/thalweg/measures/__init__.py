"""What is read off a state: every file here is one measure."""

from thalweg._core.shelf import Shelf

shelf = Shelf("thalweg.measures", "AbstractMeasure")
