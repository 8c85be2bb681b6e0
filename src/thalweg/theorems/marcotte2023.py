r"""Marcotte, Gribonval, Peyre: how many independent laws the flow keeps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from flint import fmpq, fmpq_mat, nmod_mat

from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.linalg.balls import Ball
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem
from thalweg.theorems._base import (
    AbstractTheorem,
    Case,
    Example,
    Guarantee,
    Hypothesis,
    Kind,
    Printed,
)

MARCOTTE2023 = Source(
    "marcotte2023",
    "S. Marcotte, R. Gribonval, G. Peyre",
    "Abide by the law and follow the flow: conservation laws for gradient flows",
    "NeurIPS",
    2023,
    "arXiv:2307.00144",
    beyond=True,
)

_Array = np.ndarray

PRIME = 67_108_859
"""The largest prime below 2 ** 26: sums of 2048 products stay within 64 bits."""

MOST = 400
"""Laws whose independence is checked: the rank of a matrix of that size, exactly."""

SMALL = 10_000
"""Derivatives of which the rank is taken in fractions."""


@dataclass(frozen=True)
class NumberOfLaws(AbstractTheorem):
    r"""The balancedness laws of a net contain a known number of independent ones.

    Notation: $d_j$ are the widths, $D_j = W_{j+1}^\top W_{j+1} - W_j W_j^\top$. The
    flow keeps every $D_j$, for all data and all losses of the end-to-end matrix. At a
    generic point the number of independent functions among their entries is

    $$\sum_{j=1}^{N-1} \frac{\rho_j (2 d_j + 1 - \rho_j)}2, \qquad
    \rho_j = \min(d_j, d_{j-1} + d_{j+1}).$$

    Two layers keep nothing else (the source's theorem, recalled). Deeper nets with
    all widths at least two had no further laws wherever they were counted, but chains
    that hold a stretch of at least three layers from width one to width one, inner
    widths at least two, have some: 1-2-2-1 keeps 7 functions, 6 of them from the
    $D_j$ (all losses of one number move its 8 weights along one line; the seventh is
    a sum of hyperelliptic integrals over the squared singular values of the middle
    layer). The count of all laws of a given net is proved by exact ranks
    (`count_laws`). The formula for any depth is derived here; that the given start is
    a generic point is proved by the rank of the differentials there modulo a prime,
    which is never above the rank itself.
    """

    source: ClassVar[Source] = MARCOTTE2023.at("number of independent laws, two layers")
    kind: ClassVar[Kind] = Kind.CONSERVATION
    bounds: ClassVar[str] = "invariants"
    clock: ClassVar[str] = "flow time"
    status: ClassVar[str] = (
        "two layers recalled; any depth derived here, and met by 1055 architectures"
    )

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return two layers at least, and that the start is generic."""
        facts = [Hypothesis("at least two layers", fact=case.depth >= 2)]
        if case.depth < 2:
            return facts
        return [
            *facts,
            Hypothesis(
                "the start is generic: the laws are independent there",
                _rank(case) - number_of_laws(case.widths),
                strict=False,
                mend="disturb the start a little; on wide nets nothing is checked",
            ),
        ]

    def guarantee(self, case: Case) -> Guarantee:
        """Return the number of laws, and that the start shows no more of them."""
        laws, rank = number_of_laws(case.widths), _rank(case)
        sizes = [a * b for a, b in pairwise(case.widths)]
        return Guarantee(
            statement=(
                f"of the {sum(sizes)} weights' functions the flow keeps {laws} "
                "independent ones of the balancedness laws"
            ),
            clock=self.clock,
            conserved=("invariants", "imbalance", "norm_gaps"),
            conclusions=(
                Hypothesis(
                    "no more laws are independent at the start than the formula says",
                    laws - rank,
                    strict=False,
                ),
            ),
            values={
                "laws": balls.scalar(laws),
                "weights": balls.scalar(sum(sizes)),
            },
        )

    def witnesses(self) -> Iterator[Example]:
        """Yield nets of depths 2 to 4, with narrow and with wide hidden layers."""
        for widths in ((2, 3, 2), (1, 4, 1), (4, 3, 2, 1), (1, 2, 2, 1), (2, 3, 2, 2)):
            yield Example(*_posed(widths))

    def counterexamples(self) -> Iterator[Example]:
        """Yield layers of zeros, a rank-deficient start, and a single layer."""
        name = "the start is generic: the laws are independent there"
        problem, start = _posed((2, 3, 2))
        yield Example(problem, tuple(0 * layer for layer in start), refuted=name)
        yield Example(problem, (0 * start[0], start[1]), refuted=name)
        yield Example(*_posed((2, 2)), refuted="at least two layers")

    def printed_values(self) -> Iterator[Printed]:
        """Yield the table of architectures."""
        for widths, text in (
            ((2, 2, 2), "3"),
            ((3, 2, 3), "3"),
            ((2, 3, 2), "6"),
            ((1, 4, 1), "7"),
            ((2, 5, 2), "14"),
            ((3, 3, 3, 3), "12"),
            ((2, 3, 3, 2), "12"),
            ((4, 3, 2, 1), "9"),
            ((1, 1, 1, 1), "2"),
            ((1, 6, 1, 2), "12"),
            ((10, 10, 10, 10), "110"),
            ((1, 2, 2, 1), "6"),
            ((1, 3, 3, 1), "12"),
        ):
            yield Printed(
                "-".join(map(str, widths)),
                text,
                lambda w=widths: float(number_of_laws(w)),
            )


def number_of_laws(widths: Sequence[int]) -> int:
    """Return how many functions among the invariants are independent generically.

    Args:
        widths: Of the net, `depth + 1` of them.

    Returns:
        The number; 0 for a single layer.
    """
    ranks = (
        (width, min(width, below + above))
        for below, width, above in zip(widths, widths[1:], widths[2:], strict=False)
    )
    return sum(rank * (2 * width + 1 - rank) // 2 for width, rank in ranks)


def rank_at(weights: Sequence[_Array], directions: int, prime: int = PRIME) -> int:
    """Return a lower bound on the rank of the invariants' differentials at a point.

    Args:
        weights: The layers, as stored.
        directions: Random directions in which the differentials are taken.
        prime: Modulo which all is computed; odd, at most 2 ** 26.

    Returns:
        The rank modulo the prime, at most `directions`.
    """
    layers = [_residues(layer, prime) for layer in weights]
    draw = np.random.default_rng(0).integers
    moves = [draw(0, prime, (directions, *layer.shape)) for layer in layers]
    columns = []
    for j in range(len(layers) - 1):
        above = _times(np.swapaxes(moves[j + 1], 1, 2), layers[j + 1], prime)
        below = _times(moves[j], layers[j].T, prime)
        columns.append(_upper(above - below) % prime)
    table = np.concatenate(columns, axis=1)
    rows, size = table.shape
    return int(nmod_mat(rows, size, table.ravel().tolist(), prime).rank())


def _rank(case: Case) -> Ball:
    """Return the rank at the start: a bound from below, exact where it is full.

    Modulo a prime the rank is never too large; where it falls short, the rank of the
    fractions themselves decides, on nets small enough for that.
    """
    laws = number_of_laws(case.widths)
    if case.radius or laws > MOST:
        return balls.interval(-float("inf"), float("inf"))
    weights = [np.asarray(layer) for layer in case.problem.chain(case.start)]
    found = rank_at(weights, laws + 8)
    if found >= laws:
        return balls.scalar(found)
    differentials = _differentials(weights)
    if differentials.size > SMALL:
        return balls.interval(float(found), float(min(differentials.shape)))
    rows = [
        [fmpq(*x.as_integer_ratio()) for x in row] for row in differentials.tolist()
    ]
    return balls.scalar(int(fmpq_mat(rows).rank()))


def _differentials(weights: Sequence[_Array]) -> _Array:
    """Return the derivative of every invariant by every weight.

    They are exact in floats: weights, up to a sign, or twice a weight.
    """
    rows = []
    for j, layer in enumerate(weights):
        units = np.eye(layer.size).reshape(-1, *layer.shape)
        turned = np.swapaxes(units, 1, 2)
        row = [np.zeros((layer.size, w.shape[0], w.shape[0])) for w in weights[:-1]]
        if j < len(weights) - 1:
            row[j] = -(units @ layer.T)
        if j > 0:
            row[j - 1] = turned @ layer
        rows.append(np.concatenate([_upper(part) for part in row], axis=1))
    return np.concatenate(rows)


def _upper(stack: _Array) -> _Array:
    """Return the upper triangles of the matrices plus their transposes."""
    even = stack + np.swapaxes(stack, 1, 2)
    rows, columns = np.triu_indices(even.shape[1])
    return even[:, rows, columns]


def _residues(matrix: _Array, prime: int) -> _Array:
    """Return the floats' fractions modulo a prime, exactly."""
    return np.array(
        [[_residue(value, prime) for value in row] for row in matrix.tolist()]
    )


def _residue(value: float, prime: int) -> int:
    top, bottom = value.as_integer_ratio()
    return top * pow(bottom, -1, prime) % prime


def _times(stack: _Array, matrix: _Array, prime: int) -> _Array:
    """Return the products modulo a prime, summed in parts that do not overflow."""
    cuts = range(0, matrix.shape[0], 2048)
    parts = (stack[..., k : k + 2048] @ matrix[k : k + 2048] % prime for k in cuts)
    return sum(parts) % prime


def _posed(widths: tuple[int, ...]) -> tuple[Problem, Any]:
    """Return a problem with a random start."""
    draw = np.random.default_rng(sum(widths)).standard_normal
    net = LinearNet(widths)
    target = jnp.eye(widths[-1], widths[0])
    start = tuple(jnp.asarray(draw(shape) / 2) for shape in net.shapes)
    return Problem(net, Moments.whitened(target)), start
