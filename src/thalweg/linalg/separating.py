r"""Three layers between single numbers, in the coordinates that separate their motion.

A stretch $x \in \mathbb R^{a}$, $W \in \mathbb R^{b \times a}$, $y \in \mathbb R^b$
moves along the gradient of its product $y^\top W x$; in the time of that field

$$\dot x = W^\top y, \quad \dot W = y x^\top, \quad \dot y = W x, \qquad
\ddot x = D_1 x + (2\|x\|^2 + c)\,x, \quad c = \|y\|^2 - \|x\|^2:$$

Garnier's system. Its separating coordinates are the squared singular values
$\mu_1 > \dots > \mu_r$ of $W$, $r = \min(a, b) \ge 2$: with
$W^\top W = D_1 + x x^\top$ and $W W^\top = y y^\top - D_2$ both secular equations give

$$\dot\mu_i = \pm\frac{2\sqrt{R(\mu_i)}}{\prod_{k \ne i}(\mu_i - \mu_k)}, \qquad
R(\mu) = \mu^{1-|a-b|} \det(\mu - D_1)\det(\mu + D_2),$$

a polynomial of degree $2r + 1$ with kept coefficients. By Lagrange's identities

$$Q_m = \sum_{i=1}^r \pm\int^{\mu_i} \frac{\mu^m\,d\mu}{\sqrt{R(\mu)}}$$

is kept for $m = 0, \dots, r - 2$, and grows at rate 2 for $m = r - 1$. Here it is
computed by quadrature, in NumPy or in JAX.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Along = Callable[[Any], Any]
"""A squared singular value, by what it is integrated in."""

CLOSE = 1e-6
"""Roots nearer than this, by the largest, make integrals that cannot be computed.

So do all roots that are as small by the weights' squares as this is by one, squared:
rounding decides on them.
"""


class Separated(NamedTuple):
    r"""A point in the coordinates that separate the motion.

    Attributes:
        roots: The zeros of $R$, descending, `2 r + 1` of them.
        squares: The squared singular values, descending, `"mode"`.
        heights: $\sqrt R$ at each, with the sign that its motion gives it.
        size: The sum of the squares of all weights.
    """

    roots: Any
    squares: Any
    heights: Any
    size: Any

    @property
    def apart(self) -> Any:
        """Return whether no two roots are as near as `CLOSE` says."""
        smallest = (self.roots[:-1] - self.roots[1:]).min()
        return smallest > CLOSE * (abs(self.roots).max() + CLOSE * self.size)


def stretches(widths: Sequence[int]) -> tuple[int, ...]:
    """Return where three layers of widths 1, a, b, 1 begin, with a and b above 1.

    Args:
        widths: Widths of a net, from its input.

    Returns:
        The places in `widths`, ascending.

    Example:
        >>> stretches((2, 1, 3, 2, 1, 4, 1, 2, 2, 1))
        (1, 6)
    """
    return tuple(
        place
        for place in range(len(widths) - 3)
        if widths[place] == widths[place + 3] == 1
        and min(widths[place + 1 : place + 3]) >= 2
    )


def separated(layers: Sequence[Any], xp: Any = np) -> Separated:
    """Return the separating coordinates of a stretch.

    Args:
        layers: Its three layers, of widths 1, a, b, 1.
        xp: `numpy` or `jax.numpy`.

    Returns:
        The coordinates. Cost: a singular value decomposition and two of eigenvalues.

    Example:
        >>> layers = np.array([[1.0], [0.0]]), np.diag([2.0, 1.0]), np.array([[0, 1.0]])
        >>> point = separated(layers)
        >>> point.roots.tolist(), point.squares.tolist()
        ([4.0, 3.0, 1.0, 0.0, 0.0], [4.0, 1.0])
    """
    x, middle, y = layers[0][:, 0], layers[1], layers[2][0]
    left, singular, right = xp.linalg.svd(middle, full_matrices=False)
    squares = singular**2
    gaps = squares[:, None] - squares + xp.eye(squares.size)
    speeds = singular * (left.T @ y) * (right @ x)
    heights = speeds * gaps.prod(axis=1)
    size = x @ x + squares.sum() + y @ y
    return Separated(_roots(x, middle, y, xp), squares, heights, size)


def _roots(x: Any, middle: Any, y: Any, xp: Any) -> Any:
    """Return the zeros of R, descending."""
    below = xp.linalg.eigvalsh(middle.T @ middle - xp.outer(x, x))
    above = xp.linalg.eigvalsh(middle @ middle.T - xp.outer(y, y))
    spare = abs(x.size - y.size) - 1
    every = xp.concatenate([below, above, xp.zeros(max(-spare, 0))])
    kept = xp.argsort(abs(every))[max(spare, 0) :]
    return xp.sort(every[kept])[::-1]


def integrals(point: Separated, xp: Any = np) -> tuple[Any, Any]:
    r"""Return the sums of integrals, and what they are defined up to.

    Args:
        point: Where the stretch is; its roots must be apart.
        xp: `numpy` or `jax.numpy`.

    Returns:
        $Q_0, \dots, Q_{r-1}$; and their periods, `(r - 1, r)`: a row for every
        squared singular value but the largest, which nothing bounds from above.
    """
    signs = xp.where(point.heights < 0, -1.0, 1.0)
    sums = signs[0] * _outer(point, xp)
    periods = []
    for place in range(1, point.squares.size):
        part, period = _between(point, place, xp)
        sums = sums + signs[place] * part
        periods.append(period)
    return sums, xp.stack(periods)


def _outer(point: Separated, xp: Any) -> Any:
    """Return the integrals of all powers from the largest root."""
    first, rest = point.roots[0], point.roots[1:]
    slope = xp.sqrt(abs(point.squares[0] - rest).prod())
    end = abs(point.heights[0]) / slope
    return _sum(lambda z: first + z**2, rest, end, xp)


def _between(point: Separated, place: int, xp: Any) -> tuple[Any, Any]:
    r"""Return the integrals from an interval's lower end, and twice over all of it.

    How far a squared singular value is from the nearer end is read off $\sqrt R$, which
    is a product of numbers known to their last digits, not off a difference.
    """
    mu, roots = point.squares[place], point.roots
    top, bottom = roots[2 * place - 1], roots[2 * place]
    rest = xp.concatenate([roots[: 2 * place - 1], roots[2 * place + 1 :]])
    near = mu - bottom < top - mu
    slopes = (
        abs(mu - rest).prod() * (top - bottom) * xp.where(near, top - mu, mu - bottom)
    )
    ratio = xp.minimum(1.0, abs(point.heights[place]) / xp.sqrt(slopes))
    angle = xp.where(near, xp.arcsin(ratio), xp.arccos(ratio))

    def along(turn: Any) -> Any:
        return bottom + (top - bottom) * xp.sin(turn) ** 2

    return _sum(along, rest, angle, xp), 2 * _sum(along, rest, np.pi / 2, xp)


def _rule(nodes: int = 20, halvings: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Return places and shares of a quadrature on the unit interval.

    Its panels halve towards both ends, where the next root may be near.
    """
    half = np.concatenate([[0.0], 0.5 ** np.arange(halvings, 0, -1)])
    edges = np.concatenate([half, 1 - half[-2::-1]])
    knots, shares = np.polynomial.legendre.leggauss(nodes)
    sizes = np.diff(edges)[:, None] / 2
    places = (edges[:-1, None] + edges[1:, None]) / 2 + sizes * knots
    return places.ravel(), (sizes * shares).ravel()


PLACES, SHARES = _rule()


def _sum(along: Along, rest: Any, end: Any, xp: Any) -> Any:
    """Integrate powers over the root of what is left of R."""
    mu = along(end * PLACES)[:, None]
    powers = np.arange(rest.size // 2 + rest.size % 2)
    rates = mu**powers / xp.sqrt(abs(mu - rest).prod(axis=1, keepdims=True))
    return 2 * end * (SHARES @ rates)
