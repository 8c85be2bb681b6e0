"""Where paths start: every file here is one way to draw the weights."""

from thalweg._core.shelf import Shelf

shelf = Shelf("thalweg.inits", "AbstractInit")
