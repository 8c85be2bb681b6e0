r"""How much the derivative of the residual can change within a distance.

Notation: $n_{k,i} = \|W_k \cdots W_i\|_2$, the inputs being layer 0. Where every
layer has moved by at most $R$, a product's norm is at most

$$U_{k,i} = n_{k,i} + \sum_{p=\max(i,1)}^{k} n_{k,p+1}\, R\, U_{p-1,i}$$

(expand at the leftmost layer that moved). The second derivative of the residual is
$D^2E[u,v] = \sum_{i>j} W_{N:i+1} (u_i W_{i-1:j+1} v_j + v_i W_{i-1:j+1} u_j)
W_{j-1:1} X_r$, so $\|D^2E[u,v]\|_F \le H \|u\| \|v\|$ with $H = \lambda_{\max}(h)$,
$h_{ij} = U_{N,i+1} U_{i-1,j+1} U_{j-1,0}$ off the diagonal and zero on it; hence
$J$ is $H$-Lipschitz there.

In floats: all terms are nonnegative, so a relative error a few units of rounding per
operation is all there is, and Collatz and Wielandt's quotients enclose the largest
eigenvalue of a nonnegative matrix.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from thalweg.linalg import balls
from thalweg.theorems._base import Ball

_RANGE = 1e-60, 1e60
_NODES = 129
Reals = Float[np.ndarray, " radius"]


@dataclass(frozen=True, eq=False)
class Curvature:
    """The constant $H$ as a function of the distance $R$.

    Attributes:
        low: Lower bounds of the $n_{k,i}$, at `[k + 1, i]`; one for empty products.
        high: Upper bounds.
    """

    low: Float[np.ndarray, "layer layer"]
    high: Float[np.ndarray, "layer layer"]

    @classmethod
    def of(cls, norms: dict[tuple[int, int], Ball], depth: int) -> "Curvature":
        """Return it from balls of the norms by `(k, i)`."""
        low, high = np.ones((2, depth + 2, depth + 2))
        for (k, i), ball in norms.items():
            down, up = balls.bounds(ball)
            low[k + 1, i] = down if _RANGE[0] < down < _RANGE[1] else 0.0
            high[k + 1, i] = max(up, _RANGE[0]) if up < _RANGE[1] else np.inf
        return cls(low, high)

    @property
    def depth(self) -> int:
        """Return the number of layers."""
        return len(self.low) - 2

    def near(self, radii: Reals) -> Reals:
        """Return approximations of $H$ at distances, for searches."""
        radii = np.asarray(radii)
        nodes = radii
        if radii.size > 2 * _NODES:
            # It is convex: between nodes it is a little less than told.
            nodes = np.linspace(0.0, radii.max(), _NODES)
        with np.errstate(all="ignore"):
            found = _perron(_table(self.high, nodes))[1]
        return found if nodes is radii else np.interp(radii, nodes, found)

    def enclosed(self, radii: Reals) -> list[Ball]:
        """Return balls of $H$ at distances `>= 0`."""
        with np.errstate(all="ignore"):
            low = _perron(_table(self.low, radii))[0] * (1 - self._slip)
            held = np.maximum(radii, _RANGE[0])
            high = _perron(_table(self.high, held))[1] * (1 + self._slip)
        low = np.where(np.isfinite(low), np.maximum(low, 0.0), 0.0)
        high = np.where(np.isfinite(high), high, np.inf)
        ends = zip(low.tolist(), high.tolist(), strict=True)
        return [balls.interval(min(a, b), b) for a, b in ends]

    def at(self, radius: float) -> Ball:
        """Return $H$ at one distance as a ball."""
        return self.enclosed(np.array([radius]))[0]

    @property
    def _slip(self) -> float:
        # At most 2 (N + 2)^2 operations lie behind an entry, each off by 2^-53.
        return 16 * (self.depth + 3) ** 2 * 2.0**-53


def _table(norms: np.ndarray, radii: Reals) -> Float[np.ndarray, "radius layer layer"]:
    """Return the matrices $h$."""
    depth = len(norms) - 2
    u = np.ones((depth + 2, depth + 2, radii.size))
    for i in range(depth + 1):
        for k in range(i, depth + 1):
            moved = sum(
                (norms[k + 1, p + 1] * radii) * u[p, i] for p in range(max(i, 1), k + 1)
            )
            u[k + 1, i] = norms[k + 1, i] + moved
    h = np.zeros((radii.size, depth, depth))
    for i in range(1, depth + 1):
        for j in range(1, i):
            entry = u[depth + 1, i + 1] * u[i, j + 1] * u[j, 0]
            h[:, i - 1, j - 1] = h[:, j - 1, i - 1] = entry
    return h


def _perron(h: Float[np.ndarray, "radius layer layer"]) -> tuple[Reals, Reals]:
    """Return Collatz and Wielandt's quotients, smallest and largest."""
    bad = ~np.isfinite(h).all(axis=(1, 2))
    safe = np.where(bad[:, None, None], 0.0, h)
    vectors = np.abs(np.linalg.eigh(safe)[1][:, :, -1])
    vectors = np.maximum(vectors, 1e-9)
    quotients = np.einsum("rij,rj->ri", safe, vectors) / vectors
    low, high = quotients.min(axis=1), quotients.max(axis=1)
    return np.where(bad, 0.0, low), np.where(bad, np.inf, high)
