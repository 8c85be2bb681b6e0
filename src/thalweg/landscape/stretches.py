r"""What three layers between single numbers keep beyond balancedness, at a point.

A stretch of widths $1, a, b, 1$ has $r - 1$ laws that balancedness lacks,
$r = \min(a, b) \ge 2$: with $\mu_i$ the squared singular values of its middle layer

$$Q_m = \sum_{i=1}^r \pm\int^{\mu_i} \frac{\mu^m\,d\mu}{\sqrt{R(\mu)}}, \qquad
m = 0, \dots, r - 2$$

(see `linalg.separating`). They are integrals on a curve of genus $r$, so defined up
to its real periods. As numbers without periods they are the measure `stretch_laws`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg._core.errors import DomainError
from thalweg.landscape.reduced import Matrix, linear
from thalweg.linalg.separating import integrals, separated, stretches


@dataclass(frozen=True)
class StretchLaws:
    r"""The further laws of one stretch of three layers at a point.

    Attributes:
        first: Its first layer, from one.
        values: $Q_0, \dots, Q_{r-2}$, `"law"`.
        periods: What may be added to them, `"period law"`.
        clock: $Q_{r-1}$, which grows at rate 2 in the time of the product's field;
            it makes jumps where the values do.
    """

    first: int
    values: Matrix
    periods: Matrix
    clock: float

    def apart(self, other: "StretchLaws") -> Matrix:
        """Return the difference from another point's values, less whole periods.

        Args:
            other: The laws of the same stretch elsewhere.

        Returns:
            The differences, `"law"`: zero on the same trajectory.
        """
        turns = np.linalg.solve(self.periods.T, self.values - other.values)
        return (turns - np.rint(turns)) @ self.periods

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "first": self.first,
            "values": self.values.tolist(),
            "periods": self.periods.tolist(),
            "clock": self.clock,
        }


def stretch_laws(problem: Any, weights: Any) -> tuple[StretchLaws, ...]:
    r"""Return what stretches of three layers keep beyond the balancedness matrices.

    Gradient flow keeps the values, up to whole periods, for every data set and every
    loss; `apart` compares them. Some hundred microseconds a stretch.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: The point.

    Returns:
        One entry for every three layers of widths $1, a, b, 1$ with
        $a, b \ge 2$; none if the net has no such layers.

    Raises:
        DomainError: If the point is too special: balanced, say.

    Example:
        >>> import jax, thalweg as tw
        >>> problem = tw.Problem(tw.LinearNet((1, 2, 2, 1)), tw.Moments.whitened([[1]]))
        >>> weights = tw.init("gaussian", std=1.0).draw(jax.random.key(0), problem.net)
        >>> [law] = stretch_laws(problem, weights)
        >>> law.values.shape, law.periods.shape
        ((1,), (1, 1))

    Source:
        Derived here; the field is Garnier's system (1919).
    """
    chain = [np.asarray(w) for w in problem.chain(problem.check(weights))]
    return tuple(
        _laws(place + 1, chain[place : place + 3])
        for place in stretches(linear(problem).net.widths)
    )


def _laws(first: int, layers: Sequence[Matrix]) -> StretchLaws:
    """Return the laws of three layers.

    Raises:
        DomainError: If two roots are the same to rounding.
    """
    point = separated(layers)
    if not point.apart:
        raise DomainError(
            "the weights of a stretch between single numbers are too special, as "
            "balanced ones are: its integrals diverge; disturb them a little."
        )
    sums, periods = integrals(point)
    return StretchLaws(first, sums[:-1], periods[:, :-1], float(sums[-1]))
