r"""Descent in floats, and how far it is from descent in real numbers.

Let $G(\theta) = \theta - \eta \nabla \ell(\theta)$ be gradient descent in real numbers.
The same in NumPy floats makes $\hat\theta_{t+1} = G(\hat\theta_t) + \delta_t$, so from
$\theta_0 = \hat\theta_0$ on the distance of the two obeys

$$r_{t+1} \le L_t r_t + \rho_t, \qquad \rho_t \ge \|\delta_t\|,
\quad L_t \ge \|I - \eta \nabla^2 \ell\| \text{ within } r_t \text{ of } \hat\theta_t.$$

What `_patch` proves of all nets near the present one makes a step cost two norms more
than a plain one. With $\hat e$ the norm of the rounded residual, $\hat d$ the rounded
step and $u = 2^{-53}$: a subtraction of floats errs by at most $u$ times its result,
and by no more than what is subtracted, so
$\rho_t = \eta (c_0 + c_1 \hat e) + u \|\hat d\| + \min(u \|\hat\theta_{t+1}\|,
\|\hat d\|)$. Within $r_t$ the spectral norm of the residual is at most that of the
rounded one, plus what rounding took from it, plus $S r_t$, $S$ being the slope; so
$L_t$ is known too.

The scalars of a step are sums and products of nonnegative floats, fewer than thirty
operations deep, and a difference that counts only where it exceeds one, so that its
first part is at most twice as large. Their rounding is covered by the factor
`1 + 2**-47`, which is $1 + 64u$, and by the additive `1e-300`.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from thalweg.motion._patch import LARGEST_GRAM, Patch
from thalweg.problem.scalar import Playground

LOST = 1e-3
"""A radius of this share of the weights' norm says nothing any more."""

SHARE = 0.1
"""Reach of a patch, by the depth and the smallest layer's norm."""

SMALLEST = 1e-4
"""And of the smallest one, by that."""

_UNIT = 2.0**-53
_OUTWARD = 1 + 2.0**-47
_TINY = 1e-300
_ROOT_OF_TINY = 1e-148
_FOURTH_ROOT_OF_TINY = 1e-70
_FLAT = 1e-8


class Floats:
    """A net in NumPy, all its weights in one array, and its gradient in another."""

    def __init__(
        self,
        layers: Sequence[Float[np.ndarray, "_ _"]],
        inputs: Float[np.ndarray, "in rank"] | None,
        labels: Float[np.ndarray, "out rank"],
    ) -> None:
        self.inputs, self.labels = inputs, labels
        self.weights = np.concatenate([layer.ravel() for layer in layers])
        self.gradient = np.zeros_like(self.weights)
        shapes = [layer.shape for layer in layers]
        self.layers = _cut(self.weights, shapes)
        self.slopes = _cut(self.gradient, shapes)
        self.below: list[np.ndarray | None] = []
        self.carried: list[np.ndarray] = []

    @classmethod
    def of(cls, problem: Any, start: Any) -> "Floats":
        """Return a problem's net at a start."""
        layers = [np.asarray(layer) for layer in problem.chain(start)]
        if isinstance(problem, Playground):
            return cls(layers, None, np.ones((1, 1)))
        data = problem.data
        inputs = None if data.is_whitened else np.asarray(data.inputs_factor)
        return cls(layers, inputs, np.asarray(data.labels_factor))

    def told(self, problem: Any) -> Any:
        """Return a copy of the weights, as the problem keeps them."""
        if isinstance(problem, Playground):
            return jnp.asarray(self.weights.copy())
        return tuple(jnp.asarray(layer.copy()) for layer in self.layers)

    def differentiate(self) -> None:
        """Write the gradient beside the weights.

        `_patch` proves what is lost in just these products, done in this order.
        """
        self.below = [self.inputs]
        for layer in self.layers:
            self.below.append(_times(layer, self.below[-1]))
        carried = self.below.pop() - self.labels
        self.carried = [carried]
        for layer in self.layers[:0:-1]:
            carried = layer.T @ carried
            self.carried.append(carried)
        self.carried.reverse()
        for j, slope in enumerate(self.slopes):
            self.pulled(j, j, out=slope)

    @property
    def residual(self) -> Float[np.ndarray, "out rank"]:
        """Return the residual as last computed."""
        return self.carried[-1]

    def pulled(self, i: int, j: int, out: Any = None) -> np.ndarray:
        """Return the residual as it reaches layer `i`, times what is below `j`."""
        below = self.below[j]
        if below is not None:
            return np.matmul(self.carried[i], below.T, out=out)
        if out is not None:
            out[...] = self.carried[i]
        return self.carried[i]


def radii(net: Floats, step: float, asked: Sequence[int]) -> Iterator[float]:
    """Descend in place, and yield the radius at each asked iteration."""
    patch, moved, radius, at = None, 0.0, 0.0, 0
    with np.errstate(all="ignore"):
        for target in asked:
            while at < target and radius < math.inf:
                net.differentiate()
                np.multiply(net.gradient, step, out=net.gradient)
                size, length = norm(net.residual), norm(net.gradient)
                if not size + length < math.inf:
                    radius = math.inf
                    break
                if patch is None or not (moved + radius) * _OUTWARD <= patch.reach:
                    patch, moved = _patch_at(net, step, radius, length), 0.0
                curved = bent(net, patch, step, size, radius)
                radius = _grown(patch, step, radius, (size, curved, length))
                if not radius <= LOST * (patch.size + length):
                    radius = math.inf
                    break
                np.subtract(net.weights, net.gradient, out=net.weights)
                moved = (moved + 2 * length) * _OUTWARD
                at += 1
            yield radius


def bent(net: Floats, patch: Patch, step: float, size: float, radius: float) -> float:
    """Return a bound on how far the Hessian is from a square, within the radius.

    Args:
        net: The net.
        patch: What is known of all nets near it.
        step: The step size; where nothing hangs on the bound it is coarse.
        size: Of the rounded residual.
        radius: How far the true net may be.

    Returns:
        The bound: the norm of the table of norms of pulled residuals, with the norms
        of the layers between, at the floats; what is wrong with it; and its change.
    """
    wrong = patch.residual_error + _UNIT * size
    change = patch.slope * radius
    if not step * patch.bend * size > _FLAT or len(net.layers) == 1:
        return patch.bend * (size + wrong + change)
    spectral = _spectral_norm(net.residual, size)
    coarse = patch.bend * (spectral + wrong + change)
    rows = [0.0] * len(net.layers)
    square = 0.0
    for i, layers_between in enumerate(patch.between):
        for j, between in enumerate(layers_between):
            part = net.pulled(i, j)
            entry = _spectral_norm(part, norm(part)) * between
            rows[i] += entry
            rows[j] += entry
            square += 2 * entry * entry
    if not square < math.inf:
        return coarse
    # A symmetric table with an empty diagonal: its eigenvalues sum to nothing.
    share = 1 - 1 / len(rows)
    table = min(max(rows), math.sqrt(share * square)) * (1 + 4 * len(rows) ** 2 * _UNIT)
    constant, growing = patch.bent_error
    twist = (spectral + wrong + change) * patch.twist
    moved = radius * (patch.slope * patch.bend + twist)
    return min(coarse, table + constant + growing * size + moved)


def _grown(
    patch: Patch, step: float, radius: float, sizes: tuple[float, float, float]
) -> float:
    """Return the radius after one step.

    Args:
        patch: What is known of all nets near this one.
        step: The step size.
        radius: The radius before.
        sizes: Of the rounded residual, of what bends the Hessian within the radius,
            and of the rounded step.

    Returns:
        The new radius; NaN or infinite where a bound was lost.
    """
    residual, bent, length = sizes
    stretch = max(1 + step * bent, step * (patch.slope * patch.slope + bent) - 1)
    constant, growing = patch.gradient_error
    rounded = min(_UNIT * (patch.size + 2 * length), length) + _UNIT * length
    lost = step * (constant + growing * residual) + rounded
    return (stretch * radius + lost) * _OUTWARD + _TINY


def _patch_at(net: Floats, step: float, radius: float, length: float) -> Patch:
    """Return a patch that holds the radius, and the next few steps if it can be.

    Where the step is near the edge of stability a smaller one is taken: only there
    does the slope count, and the nearer the better it is known.
    """
    norms = [float(np.linalg.norm(layer, 2)) for layer in net.layers]
    share = SHARE / len(norms) * max(min(norms), 0.1 * max(norms))
    least = 4 * radius + SMALLEST * share + _FOURTH_ROOT_OF_TINY
    reach = max(share, least) if length < share else least
    patch = Patch.around(net.layers, net.inputs, reach)
    for smaller in (least + 8 * length, least):
        if step * patch.slope * patch.slope <= 2 or net.labels.size > LARGEST_GRAM:
            break
        reach = min(reach, smaller)
        patch = Patch.around(net.layers, net.inputs, reach, sharp=True)
    return patch


def norm(array: np.ndarray) -> float:
    r"""Return a bound on the Frobenius norm of an array of at most $10^{10}$ floats.

    The sum of $n$ squares is wrong by a factor of $1 + \gamma_n$ at most, its root by
    half as much; eight more units are for the operations on it, and `1e-148` for
    squares that underflow.
    """
    flat = array.ravel()
    inflated = 1 + (flat.size + 8) * _UNIT
    return math.sqrt(float(flat @ flat)) * inflated + _ROOT_OF_TINY


def _spectral_norm(matrix: np.ndarray, size: float) -> float:
    r"""Return a bound on the spectral norm: $\|A\|_2^4 \le \|(A A^\top)^2\|_F$.

    Args:
        matrix: The matrix $A$.
        size: A bound on its Frobenius norm.

    Returns:
        The bound; what each of the two products is wrong by is added to its norm.
    """
    rows, columns = matrix.shape
    if min(rows, columns) == 1:
        return size
    gram = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
    square = size * size
    lost = 2 * (rows + columns) * _UNIT * square
    root = math.sqrt(norm(gram @ gram.T) + 2 * lost * square)
    return min(size, math.sqrt(root + lost) * _OUTWARD + _FOURTH_ROOT_OF_TINY)


def _times(layer: np.ndarray, below: np.ndarray | None) -> np.ndarray:
    return layer if below is None else layer @ below


def _cut(flat: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Return views of an array, one for each shape, in order."""
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
    parts = np.split(flat, ends)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
