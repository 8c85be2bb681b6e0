r"""The angle condition: whether steps keep going down the gradient.

Steps $s_k$ satisfy the *angle condition* if for some $\sigma > 0$, from some iteration
on, $-\langle \nabla L(W_k), s_k \rangle \ge \sigma \|\nabla L(W_k)\| \|s_k\|$, and the
*descent condition* if $L(W_k) - L(W_k + s_k) \ge \sigma \|\nabla L(W_k)\| \|s_k\|$. On
an analytic loss the curves of the one and the iterates of the other either leave every
bounded set or converge to a single point.
"""

from dataclasses import dataclass

import numpy as np

from thalweg._core.errors import positive
from thalweg._core.outcome import Outcomes
from thalweg._core.source import Source
from thalweg.motion.path import Path

SOURCE = Source(
    "absil2005",
    "P.-A. Absil, R. Mahony, B. Andrews",
    "Convergence of the iterates of descent methods for analytic cost functions",
    "SIAM Journal on Optimization 16(2)",
    2005,
    "doi:10.1137/040605266",
    beyond=True,
)


@dataclass(frozen=True)
class Kept:
    """Where along a path a column stayed at or above a bound.

    Attributes:
        bound: The bound.
        smallest: The smallest value recorded.
        smallest_at: The iteration of its record.
        share: Share of the records at or above the bound.
        fails_at: Iteration of the first record below the bound; `None` if none is.
        holds_from: Iteration of the first record from which on none is; `None` if the
            last one is.
    """

    bound: float
    smallest: float
    smallest_at: int
    share: float
    fails_at: int | None
    holds_from: int | None

    @property
    def always(self) -> bool:
        """Return whether it stayed at or above the bound at every record."""
        return self.fails_at is None

    def __str__(self) -> str:
        """Return it in words."""
        least = f"smallest {self.smallest:.3g} at iteration {self.smallest_at}"
        if self.always:
            return f"at least {self.bound:g} at every record; {least}"
        since = "" if self.holds_from is None else f", all from {self.holds_from} on"
        return (
            f"at least {self.bound:g} at {self.share:.0%} of the records{since}; first "
            f"below it at {self.fails_at}; {least}"
        )


@dataclass(frozen=True)
class AngleCondition:
    """The angle and the descent condition along a training.

    Attributes:
        angle: Of the cosines between steps and negative gradients.
        descent: Of what steps won, divided by their length and the gradient's.
    """

    angle: Kept
    descent: Kept

    def __str__(self) -> str:
        """Return both in words."""
        return f"angle: {self.angle}\ndescent: {self.descent}"


def angle_condition(
    path: Path, bound: float = 0.01
) -> AngleCondition | list[AngleCondition]:
    """Say where along a training its steps kept an angle to the gradient.

    What is judged is what was recorded: with `every=1` all steps but the one after
    the last, which would be next and is judged too. A path says nothing of the steps
    beyond its end: where the conditions fail again and again, that they hold from
    some iteration on means little.

    Args:
        path: A path from `train`.
        bound: The least cosine, and ratio, that counts, `> 0`.

    Returns:
        Both conditions; for a batch, one per run.

    Example:
        >>> from thalweg.motion.train import train
        >>> from thalweg.problem.scalar import Playground
        >>> path = train(Playground(2), [0.5, 0.5], "sgd", step_size=1 / 6,
        ...              iterations=20, every=1)
        >>> print(angle_condition(path))
        angle: at least 0.01 at every record; smallest 1 at iteration 0
        descent: at least 0.01 at every record; smallest 0.834 at iteration 20

    Source:
        Absil, Mahony, Andrews, Theorems 2.2 and 3.2, to which Chitour, Liao,
        Couillet, Remark 1, refer.
    """
    positive("bound", bound)
    if isinstance(path.outcome, Outcomes):
        runs = range(len(path.outcome))
        return [_of_one(path.run(index), bound) for index in runs]
    return _of_one(path, bound)


def _of_one(path: Path, bound: float) -> AngleCondition:
    return AngleCondition(
        *(
            _kept(path.clock, path[name], bound)
            for name in ("angle_cosine", "descent_ratio")
        )
    )


def _kept(clock: np.ndarray, values: np.ndarray, bound: float) -> Kept:
    below, least = np.flatnonzero(values < bound), int(np.argmin(values))
    after = int(below[-1]) + 1 if below.size else 0
    return Kept(
        bound=bound,
        smallest=float(values[least]),
        smallest_at=int(clock[least]),
        share=1 - below.size / values.size,
        fails_at=int(clock[below[0]]) if below.size else None,
        holds_from=int(clock[after]) if after < clock.size else None,
    )
