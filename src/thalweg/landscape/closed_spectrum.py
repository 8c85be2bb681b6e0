r"""All eigenvalues of the Hessian in blocks of at most four, at aligned two-layer nets.

Notation: after orthogonal changes of the input, hidden and output spaces, which
change no eigenvalue, $W_1$, $W_2$ and the target have entries $a_i$, $b_i$, $s_i$ on
the diagonal alone; $e_i = a_i b_i - s_i$. A *thread* $i$ may lack its input, its
hidden unit or its output. With $x_{ij}$ and $y_{ij}$ the changes of $W_1$ and $W_2$,

$$w^\top H w = \sum_{ij} (b_i x_{ij} + a_j y_{ij})^2 + 2 \sum_{ij} e_i y_{ij} x_{ji},$$

in which a thread is alone with itself and every two threads are alone together:

$$\begin{pmatrix} b_i^2 & a_i b_i + e_i \\ a_i b_i + e_i & a_i^2 \end{pmatrix}, \qquad
\begin{pmatrix} b_i^2 & a_j b_i & 0 & e_j \\ a_j b_i & a_j^2 & e_i & 0 \\
0 & e_i & b_j^2 & a_i b_j \\ e_j & 0 & a_i b_j & a_i^2 \end{pmatrix}$$

in the order $x_{ij}, y_{ij}, x_{ji}, y_{ji}$, without the rows of what does not exist.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from thalweg._core.arrays import EPS
from thalweg._core.errors import DomainError
from thalweg.landscape._curvature.threads import Thread, find_threads
from thalweg.landscape.reduced import Matrix, reduced

ALIGNED = 1e-8
"""Relative distance from an aligned point up to which one counts as aligned."""


@dataclass(frozen=True)
class Group:
    """One eigenvalue, as often as a kind of block gives it.

    Attributes:
        eigenvalue: The eigenvalue.
        multiplicity: How often.
        label: The threads of the block, as `mode 1` or `mode 2 with a spare unit`.
    """

    eigenvalue: float
    multiplicity: int
    label: str


@dataclass(frozen=True)
class ClosedSpectrum:
    """Every eigenvalue of the Hessian at an aligned point.

    Attributes:
        groups: The eigenvalues, descending; equal ones of different blocks apart.
        misalignment: Relative distance of the point from the aligned one they belong
            to.
        tolerance: How far each eigenvalue can be off for that, and for rounding.
    """

    groups: tuple[Group, ...]
    misalignment: float
    tolerance: float

    @cached_property
    def values(self) -> Matrix:
        """Return all eigenvalues, descending, each as often as it occurs."""
        return np.repeat(
            [group.eigenvalue for group in self.groups],
            [group.multiplicity for group in self.groups],
        )

    @property
    def positive(self) -> int:
        """Return how many eigenvalues are above the tolerance."""
        return int(np.sum(self.values > self.tolerance))

    @property
    def zero(self) -> int:
        """Return how many are within it."""
        return int(np.sum(np.abs(self.values) <= self.tolerance))

    @property
    def negative(self) -> int:
        """Return how many are below minus the tolerance."""
        return int(np.sum(self.values < -self.tolerance))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "groups": [dict(vars(group)) for group in self.groups],
            "misalignment": self.misalignment,
            "tolerance": self.tolerance,
            "positive": self.positive,
            "zero": self.zero,
            "negative": self.negative,
        }


def closed_spectrum(problem: Any, weights: Any) -> ClosedSpectrum:
    """Return the spectrum of the Hessian at an aligned point of two layers, white data.

    Aligned means that orthogonal changes of the three spaces make both layers and the
    target diagonal, each row and column with one entry at most. Layers need not be
    balanced, no width needs to be the largest, modes may be learnt partly or not.

    Args:
        problem: A `Problem` on two layers with whitened data, or `Playground(2)`.
        weights: The point.

    Returns:
        Eigenvalues with multiplicities and the modes they come from. As many
        eigenproblems of size four as there are pairs of different threads.

    Raises:
        DomainError: If there are not two layers, the data are not white, or the point
            is not aligned.

    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.problem.scalar import Playground
        >>> found = closed_spectrum(Playground(2), jnp.array([2.0, 1.0]))
        >>> [(round(group.eigenvalue, 6), group.label) for group in found.groups]
        [(5.854102, 'mode 1'), (-0.854102, 'mode 1')]

    Source:
        Derived here; A. M. Saxe, J. L. McClelland, S. Ganguli, section 1.1 has the
        aligned points.
    """
    at = reduced(problem, weights)
    if at.depth != 2:
        raise DomainError(
            f"the net has {at.depth} layers; a closed spectrum is known for two. Use "
            "hessian_spectrum, or gauss_newton_spectrum where the error is zero."
        )
    if at.inputs is not None:
        raise DomainError(
            "the data are not white, which leaves no aligned points; whiten them or "
            "use hessian_spectrum."
        )
    threads, apart, error = find_threads(at.layers[0], at.layers[1], at.labels)
    if not apart <= ALIGNED:
        raise DomainError(
            f"the weights are {apart:.3g} from aligned, relative to their size, and "
            f"{ALIGNED:g} is allowed; use hessian_spectrum."
        )
    scale = sum(float(np.linalg.norm(w)) ** 2 for w in at.layers)
    scale += float(np.linalg.norm(at.labels))
    groups = _groups(threads, 64 * EPS * scale**0.5)
    return ClosedSpectrum(groups, apart, error + 64 * EPS * scale)


def _groups(threads: list[Thread], grain: float) -> tuple[Group, ...]:
    """Return the eigenvalues of all blocks, equal threads taken together."""
    kinds = Counter(_kind(thread, grain) for thread in threads)
    first = {_kind(thread, grain): thread for thread in reversed(threads)}
    members = [(first[kind], count) for kind, count in kinds.items()]
    names = _names(members)
    found: list[Group] = []
    for (thread, count), name in zip(members, names, strict=True):
        _add(found, _own(thread), count, name)
        within = count * (count - 1) // 2
        _add(found, _pair(thread, thread), within, f"{name} among themselves")
    for (one, some), (other, more) in combinations(
        list(zip(members, names, strict=True)), 2
    ):
        block = _pair(one[0], other[0])
        _add(found, block, one[1] * other[1], f"{some} with {more}")
    return tuple(sorted(found, key=lambda group: -group.eigenvalue))


def _kind(thread: Thread, grain: float) -> tuple[Any, ...]:
    """Return what threads with the same blocks have in common."""
    strengths = (thread.first, thread.second, thread.target)
    whole = tuple(round(x / grain) if grain else 0 for x in strengths)
    return (*whole, thread.has_input, thread.has_unit, thread.has_output)


def _names(members: list[tuple[Thread, int]]) -> list[str]:
    names, mode = [], 0
    for thread, count in members:
        if thread.target:
            names.append(_numbered(mode + 1, count))
            mode += count
            continue
        parts = [
            word
            for word, there in (
                ("input", thread.has_input),
                ("unit", thread.has_unit),
                ("output", thread.has_output),
            )
            if there
        ]
        spare = "spare " + "-".join(parts)
        names.append(f"a {spare}" if count == 1 else f"{count} {spare}s")
    return names


def _numbered(mode: int, count: int) -> str:
    return f"mode {mode}" if count == 1 else f"modes {mode}-{mode + count - 1}"


def _own(thread: Thread) -> Matrix:
    a, b, e = thread.first, thread.second, thread.error
    block = np.array([[b * b, a * b + e], [a * b + e, a * a]])
    there = [
        thread.has_unit and thread.has_input,
        thread.has_unit and thread.has_output,
    ]
    return block[np.ix_(there, there)]


def _pair(one: Thread, other: Thread) -> Matrix:
    (a, b, e), (c, d, f) = (
        (thread.first, thread.second, thread.error) for thread in (one, other)
    )
    block = np.array(
        [
            [b * b, c * b, 0.0, f],
            [c * b, c * c, e, 0.0],
            [0.0, e, d * d, a * d],
            [f, 0.0, a * d, a * a],
        ]
    )
    there = [
        one.has_unit and other.has_input,
        one.has_output and other.has_unit,
        other.has_unit and one.has_input,
        other.has_output and one.has_unit,
    ]
    return block[np.ix_(there, there)]


def _add(found: list[Group], block: Matrix, count: int, label: str) -> None:
    if count and block.size:
        values = np.linalg.eigvalsh(block).tolist()
        found.extend(Group(value, count, label) for value in values)
