"""The four doors where a name becomes an object of a shelf."""

from typing import Any

from thalweg.inits import shelf as inits
from thalweg.measures import shelf as measures
from thalweg.problem.datasets import shelf as datasets
from thalweg.theorems import shelf as theorems


def init(name: str, **fields: Any) -> Any:
    """Return a way to start, by name.

    Args:
        name: A name that `thalweg list inits` shows.
        **fields: Its parameters.

    Returns:
        The init; `init.draw(key, net)` gives weights.

    Example:
        >>> init("balanced", std=0.5).std
        0.5
    """
    return inits.make(name, **fields)


def measure(name: str, **fields: Any) -> Any:
    """Return a measure, by name.

    Args:
        name: A name that `thalweg list measures` shows.
        **fields: Its parameters.

    Returns:
        The measure; `measure.read(problem, weights)` gives its value.

    Example:
        >>> measure("sharpness", top=3).top
        3
    """
    return measures.make(name, **fields)


def theorem(name: str, **fields: Any) -> Any:
    """Return a theorem, by name.

    Args:
        name: A name that `thalweg list theorems` shows.
        **fields: Its parameters.

    Returns:
        The theorem, to be passed to `certify`.

    Example:
        >>> theorem("arora2019.Convergence").source.place
        'Theorem 1'
    """
    return theorems.make(name, **fields)


def dataset(name: str, **fields: Any) -> Any:
    """Return a data set, by name.

    Args:
        name: A name that `thalweg data list` shows.
        **fields: Its parameters.

    Returns:
        The data set; `dataset.load()` gives its table, `dataset.moments()` what a
        problem needs.

    Example:
        >>> dataset("diabetes").samples
        442
    """
    return datasets.make(name, **fields)
