"""From a saddle to the next place of rest: a push along a curve, then descent."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thalweg._core.arrays import EPS
from thalweg._core.errors import DomainError, positive
from thalweg.landscape._saddles.pace import follow
from thalweg.landscape._saddles.standing import TOLERANCE, stand
from thalweg.landscape.higher import EscapeCurve, escape_order
from thalweg.landscape.reduced import Chain
from thalweg.landscape.strictness import Classification, classify
from thalweg.motion.path import Path

FAITHFUL = 0.95
"""Share of what its leading term promises that a push must really fall."""

AT_REST = 1e-10
"""Gradient at which a descent has arrived, in units of the saddle's layers."""


@dataclass(frozen=True)
class Escape:
    """A way from a saddle to where descent comes to rest.

    Attributes:
        curve: The curve that leaves the saddle, with its order and reasons.
        left_at: The curve's parameter where descent takes over.
        drop: By how much the push lowered the loss, `> 0`.
        path: The descent from there.
        arrived: What the end is; `None` if it is no critical point to the tolerance:
            the iterations were spent, or the accuracy asked for was reached first.
    """

    curve: EscapeCurve
    left_at: float
    drop: float
    path: Path
    arrived: Classification | None

    @property
    def order(self) -> int:
        """Return the power of the push with which the loss falls."""
        return self.curve.order

    @property
    def direction(self) -> Chain:
        """Return what the push moves every layer by."""
        return self.curve.direction

    def __str__(self) -> str:
        """Return one line: how it left, and where it came to rest."""
        end = "no critical point yet"
        if self.arrived is not None:
            learnt = ", ".join(map(str, self.arrived.modes)) or "none"
            end = f"a {self.arrived.kind}, modes learnt: {learnt}"
        return (
            f"left a {self.curve.kind} at order {self.order} with a drop of "
            f"{self.drop:.3g}; after {int(self.path.clock[-1])} iterations: {end}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values: the curve, the push and the end, not the path."""
        return {
            "order": self.order,
            "left_at": self.left_at,
            "drop": self.drop,
            "step_size": float(self.path.step_size),
            "iterations": int(self.path.clock[-1]),
            "excess_loss": float(self.path["excess_loss"][-1]),
            "outcome": str(self.path.outcome),
            "arrived": None if self.arrived is None else self.arrived.to_json(),
            "curve": self.curve.to_json(),
        }

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the path to a folder, with the escape noted on it as `escape`."""
        self.path.with_notes(escape=self.to_json()).save(folder)


def escape(
    problem: Any,
    weights: Any,
    *,
    push: float | None = None,
    step_size: float | None = None,
    iterations: int = 100_000,
    accuracy: float | None = None,
    measures: Sequence[Any] = ("loss", "singular_modes"),
    tolerance: float = TOLERANCE,
) -> Escape:
    """Leave a saddle along a constructed curve and descend to the next place of rest.

    Descent never leaves an exact saddle by itself; nor does it leave a subspace that
    its own steps keep. So the path from an exact saddle can end at the next one.

    Args:
        problem: A `Problem` or a `Playground`.
        weights: A saddle of either kind.
        push: How far along the curve to go before descent takes over, `> 0`. `None`
            takes the largest of a geometric sequence at which the loss has fallen by
            at least 0.95 of what the curve's leading term promises.
        step_size: Of the descent, `> 0`. `None` takes one over the larger of the
            sharpness at its start and at a balanced minimum, and halves it while the
            loss rises.
        iterations: Most steps to take.
        accuracy: Excess loss at which to stop; `None` goes on until the gradient is
            nothing.
        measures: What the path records.
        tolerance: As in `classify`.

    Returns:
        The curve, the push, the path and what its end is.

    Raises:
        DomainError: If the point is no saddle, or the push does not lower the loss.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> left = escape(Playground(3), [0.0, 0.0, 0.0])
        >>> left.order, left.arrived.kind.value
        (3, 'global minimum')

    Source:
        Chitour, Liao, Couillet, proof of Proposition 3 (directions); for other orders
        derived in `higher`.
    """
    curve = escape_order(problem, weights, tolerance=tolerance)
    standing = stand(problem, curve.weights, tolerance)
    units, reach = standing.units, standing.reach
    if push is None:
        left_at, drop = _line_search(curve, reach)
    else:
        left_at = positive("push", push)
        drop = _drop(curve, left_at)
        if not drop > 0:
            raise DomainError(
                f"push is {push}, where the loss is {-drop:.3g} above the saddle's; "
                "pass a smaller one, or none to have it chosen."
            )
    path = follow(
        problem,
        curve.curve(left_at),
        step_size,
        iterations=iterations,
        accuracy=accuracy,
        gradient_tolerance=AT_REST * math.prod(units) ** 2 / reach,
        measures=measures,
    )
    return Escape(curve, left_at, drop, path, _arrived(path, tolerance))


def _drop(curve: EscapeCurve, t: float) -> float:
    """Return by how much the loss has fallen along a curve."""
    problem = curve.problem
    at_rest = float(problem.excess_loss(curve.weights))
    return at_rest - float(problem.excess_loss(curve.curve(t)))


def _line_search(curve: EscapeCurve, reach: float) -> tuple[float, float]:
    """Return the largest push that falls as the leading term says, and its drop."""
    noise = 8 * EPS * float(curve.problem.loss(curve.weights))
    for halvings in range(200):
        t = reach * 2 ** (-halvings / 2)
        promised, fallen = -curve.coefficient * t**curve.order, _drop(curve, t)
        if fallen >= FAITHFUL * promised:
            return t, fallen
        if promised < noise:
            break
    raise DomainError(
        "no push was found that lowers the loss by more than rounding; descend nearer "
        "to the saddle, or pass push."
    )


def _arrived(path: Path, tolerance: float) -> Classification | None:
    """Return what the end of a path is, `None` if it is not critical."""
    try:
        return classify(path.problem, path.weights, tolerance=tolerance)
    except DomainError:
        return None
