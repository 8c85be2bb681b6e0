"""What three layers between single numbers keep beyond balancedness."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Array, Float
from thalweg._core.source import Source
from thalweg.linalg.separating import integrals, separated, stretches
from thalweg.measures._base import AbstractMeasure

GARNIER1919 = Source(
    "garnier1919",
    "R. Garnier",
    "Sur une classe de systèmes différentiels abéliens déduits de la théorie des "
    "équations linéaires",
    "Rendiconti del Circolo Matematico di Palermo 43",
    1919,
    beyond=True,
)


@dataclass(frozen=True)
class StretchLaws(AbstractMeasure):
    r"""What stretches of three layers keep beyond balancedness, as points on circles.

    A stretch of widths $1, a, b, 1$ has $r - 1$ further laws, $r = \min(a, b)$. They
    are integrals on a curve, $Q \in \mathbb R^{r-1}$, up to whole periods, the rows of
    $P$ (see `landscape.stretch_laws`). So they have single values as points on
    circles: $\tau = Q P^{-1}$ counts turns. Where two roots of the curve meet, for
    balanced layers say, the integrals diverge and zeros are read, a circle's centre.
    If one of the two single numbers changes its sign, turns go the other way. A
    stretch costs three decompositions and $2 r - 1$ integrals of 800 places.
    """

    symbol: ClassVar[str] = r"(\cos 2\pi\tau_k, \sin 2\pi\tau_k)"
    axes: ClassVar[tuple[str, ...]] = ("law", "coordinate")
    conserved: ClassVar[bool] = True
    invariant_under: ClassVar[tuple[str, ...]] = ("rotations of hidden spaces",)
    about: ClassVar[str] = (
        "three layers of widths 1, a, b, 1 in a row, with a and b at least 2"
    )
    shown_on: ClassVar[tuple[int, ...]] = (1, 3, 2, 1)
    says: ClassVar[str] = (
        "Constant along the flow for every data set and loss; descent moves it by a "
        "multiple of the step size squared per step."
    )
    source: ClassVar[Source] = GARNIER1919.at(
        "the system that the layers obey; its laws in these terms are derived here"
    )

    def suits(self, net: Any) -> bool:
        """Return whether a net has such a stretch."""
        return bool(stretches(net.widths))

    def read(self, problem: Any, weights: Any) -> Float[Array, "law coordinate"]:
        """Return a point for every law, stretch by stretch, of shape `(laws, 2)`."""
        self.check(problem)
        chain = problem.chain(weights)
        begins = stretches(problem.net.widths)
        turns = [_turns(chain[place : place + 3]) for place in begins]
        return jnp.concatenate(turns)


def _turns(layers: Sequence[Any]) -> Float[Array, "law coordinate"]:
    """Return the points of one stretch; the centre where integrals diverge."""
    point = separated(layers, jnp)
    spread = jnp.arange(point.roots.size, 0.0, -1)
    safe = point._replace(roots=jnp.where(point.apart, point.roots, spread))
    sums, periods = integrals(safe, jnp)
    turns = jnp.linalg.solve(periods[:, :-1].T, sums[:-1])
    points = jnp.stack([jnp.cos(2 * jnp.pi * turns), jnp.sin(2 * jnp.pi * turns)], 1)
    return jnp.where(point.apart, points, 0.0)
