"""The lines of a table of limits, and the times runs took."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.landscape._following.sorting import Limit
from thalweg.landscape.wilson import Share

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0)
SHOWN = (0.1, 0.5, 0.9, 0.99, 1.0)
BINS_A_DECADE = 8


@dataclass(frozen=True)
class Row:
    """One line of the table of limits.

    Attributes:
        limit: Where the runs end.
        share: How many, with their interval.
        by_symmetry: Of runs at a saddle, those whose start's symmetry leads exact
            descent there.
        by_zeros: Those whose start's zeros let descent come to no lower value.
        exactly: Those whose gradient at the end is zero in rational arithmetic.
    """

    limit: Limit
    share: Share
    by_symmetry: int = 0
    by_zeros: int = 0
    exactly: int = 0

    def how(self) -> str:
        """Return how runs at a saddle are known to be there, in words."""
        told = [
            f"{count} {words}"
            for count, words in (
                (self.by_symmetry, "by symmetry of the start"),
                (self.by_zeros, "by zeros of the start"),
                (self.exactly, "to the last bit"),
            )
            if count
        ]
        return f" ({', '.join(told)})" if told else ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            **self.limit.to_json(),
            **self.share.to_json(),
            "by_symmetry": self.by_symmetry,
            "by_zeros": self.by_zeros,
            "exactly_critical": self.exactly,
        }


@dataclass(frozen=True)
class Times:
    """How many iterations the runs to a global minimum took.

    Attributes:
        runs: How many runs there are.
        quantiles: Iterations by the share of runs that took no more.
        mean: Their mean.
        edges: Edges of the histogram's bins, evenly spaced on a logarithmic scale.
        counts: Runs in every bin, the upper edge left out.
        near: Quantiles of the iterations at which the loss was within a tenth of that
            of a saddle that has learnt the largest modes.
    """

    runs: int
    quantiles: dict[float, float]
    mean: float
    edges: np.ndarray
    counts: np.ndarray
    near: dict[float, float]

    @classmethod
    def of(cls, taken: np.ndarray, near: np.ndarray) -> "Times":
        """Return the distribution of iterations, at least one run's.

        Args:
            taken: Of every run.
            near: Those of them near a saddle.

        Returns:
            Both.
        """
        top = max(1, int(np.ceil(BINS_A_DECADE * np.log10(max(taken.max(), 1) + 1))))
        edges = 10.0 ** (np.arange(top + 1) / BINS_A_DECADE)
        return cls(
            runs=taken.size,
            quantiles=_quantiles(taken),
            mean=float(taken.mean()),
            edges=edges,
            counts=np.histogram(np.maximum(taken, 1), bins=edges)[0],
            near=_quantiles(near),
        )

    def lines(self) -> list[str]:
        """Return the quantiles in words, one line each."""
        return [
            f"iterations to a minimum, by the share of runs: {_told(self.quantiles)}",
            f"of them near a saddle: {_told(self.near)}",
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "runs": self.runs,
            "mean": self.mean,
            "quantiles": {f"{q:g}": t for q, t in self.quantiles.items()},
            "near_saddles": {f"{q:g}": t for q, t in self.near.items()},
            "edges": self.edges.tolist(),
            "counts": self.counts.tolist(),
        }


def _quantiles(values: np.ndarray) -> dict[float, float]:
    found = np.quantile(values, QUANTILES, method="higher")
    return dict(zip(QUANTILES, map(float, found), strict=True))


def _told(quantiles: dict[float, float]) -> str:
    return ", ".join(f"{quantiles[q]:.0f} ({q:.0%})" for q in SHOWN)
