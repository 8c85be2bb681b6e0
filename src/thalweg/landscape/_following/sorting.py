r"""From how a run ended to where it leads.

A verdict is given where an argument gives it, and nothing else is guessed: what is left
over is undecided, with the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.landscape._following.drawing import Stack
from thalweg.landscape._following.lanes import ARRIVED, BLOWN, RESTED
from thalweg.landscape._following.pursuit import Ends
from thalweg.landscape._following.symmetric import kept_loss, kept_modes
from thalweg.landscape._points.ground import Ground, Pattern
from thalweg.landscape.values import critical_values
from thalweg.linalg import exact

MINIMUM, SADDLE, DIVERGED, UNDECIDED = (
    "global minimum",
    "saddle",
    "diverged",
    "undecided",
)

CLOSE = 1e-6
"""A mode is learnt, or not, when its strength is one, or zero, to this."""

SAME_VALUE = 1e-9
"""Two losses are the same if they differ by this share of the labels' energy."""

RESOLVED = 1e-13
"""Critical values closer to the infimum than this share of the labels' energy cannot
be told from it."""

ROUNDED, EXACTLY, BY_SYMMETRY, BY_ZEROS = range(4)
"""How it is known where a run at rest at a saddle's value leads: not at all, as only
rounding may hold it; or by one of three arguments."""


@dataclass(frozen=True, order=True)
class Limit:
    """Where runs end.

    Attributes:
        verdict: `global minimum`, `saddle`, `diverged` or `undecided`.
        reason: Why it is undecided; otherwise empty.
        modes: The modes a saddle has learnt; of equal singular values the first.
        excess_loss: Its loss above the infimum; `None` unless it is a saddle.
    """

    verdict: str
    reason: str = ""
    modes: tuple[int, ...] | None = None
    excess_loss: float | None = None

    def __str__(self) -> str:
        """Return it in words."""
        if self.verdict == SADDLE:
            return f"saddle, {self.learnt}"
        return f"undecided: {self.reason}" if self.reason else self.verdict

    @property
    def learnt(self) -> str:
        """Return the modes learnt in words."""
        return f"modes learnt: {', '.join(map(str, self.modes or ())) or 'none'}"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        modes = None if self.modes is None else list(self.modes)
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "modes": modes,
            "rank": None if modes is None else len(modes),
            "excess_loss": self.excess_loss,
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Limit":
        """Return the limit that `to_json` described."""
        modes = None if told["modes"] is None else tuple(told["modes"])
        return cls(told["verdict"], told["reason"], modes, told["excess_loss"])


AT_MINIMUM = Limit(MINIMUM)
RAN_AWAY = Limit(DIVERGED)
OUT_OF_BUDGET = Limit(UNDECIDED, "out of iterations")
OFF = Limit(UNDECIDED, "at rest, but at no critical value")
UNSTABLE = Limit(UNDECIDED, "at a minimum that its step makes unstable")


def lowest_saddle(problem: Any) -> float:
    """Return the excess loss of the lowest saddle; infinite if there is none.

    Args:
        problem: A `Problem` or a `Playground`.

    Returns:
        The least critical value above the infimum that float64 tells from it.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> lowest_saddle(Playground(2))
        0.5
    """
    ground = Ground.of(problem)
    floor = RESOLVED * energy(ground)
    for value in critical_values(problem):
        if value.excess_loss > floor:
            return value.excess_loss
    return float("inf")


def energy(ground: Ground) -> float:
    """Return half the sum of squares of all singular values of the labels."""
    return 0.5 * float(np.sum(ground.modes.values**2))


def saddle_levels(ground: Ground, most: int = 8) -> list[float]:
    """Return the excess losses of saddles that have learnt the largest modes.

    Args:
        ground: The problem.
        most: How many, the lowest first.

    Returns:
        Those that are positive, ascending.
    """
    ranks = range(ground.largest - 1, -1, -1) if ground.depth > 1 else ()
    levels = [ground.value(ground.prefix(r)) - ground.infimum for r in ranks]
    floor = RESOLVED * energy(ground)
    return sorted({level for level in levels if level > floor})[:most]


def sort_ends(
    ground: Ground, starts: Stack, ends: Ends
) -> tuple[np.ndarray, list[Limit], np.ndarray]:
    """Return where the runs of a chunk lead.

    Args:
        ground: The problem.
        starts: Where the runs started.
        ends: How they ended.

    Returns:
        For every run the place of its limit in the list; the list; and how it is known,
        as in `Columns.known`.
    """
    limits = [AT_MINIMUM, OUT_OF_BUDGET, RAN_AWAY, OFF, UNSTABLE]
    codes = np.full(ends.state.size, limits.index(OUT_OF_BUDGET), dtype=np.int16)
    codes[ends.state == BLOWN] = limits.index(RAN_AWAY)
    arrived = np.flatnonzero(ends.state == ARRIVED)
    codes[arrived] = 0
    if arrived.size:
        shaky = _is_unstable(ground, _picked(ends.weights, arrived), ends, arrived)
        codes[arrived[shaky]] = limits.index(UNSTABLE)
    known = np.full(ends.state.size, -1, dtype=np.int8)
    rested = np.flatnonzero(ends.state == RESTED)
    at = _at_rest(ground, ends, rested)
    kept = _kept_by_zeros(ground, starts, ends, rested, at)
    for run, limit, by_zeros in zip(rested.tolist(), at, kept, strict=True):
        if limit.verdict == SADDLE:
            chain = [layer[..., run] for layer in ends.weights]
            exactly = is_exactly_critical(ground, chain)
            known[run] = EXACTLY if exactly else BY_ZEROS if by_zeros else ROUNDED
        codes[run] = _place(limits, _held(limit) if known[run] == ROUNDED else limit)
    for run, modes in kept_modes(ground, starts, ends.step_size).items():
        if known[run] == EXACTLY:
            continue
        pattern = ground.pattern(modes)
        excess = ground.value(pattern) - ground.infimum
        limit = Limit(SADDLE, "", ground.chosen(pattern), excess)
        codes[run], known[run] = _place(limits, limit), BY_SYMMETRY
    return codes, limits, known


def _held(saddle: Limit) -> Limit:
    """Return the limit of runs at rest there for which nothing but rounding speaks."""
    return Limit(UNDECIDED, f"at rest to rounding, {saddle.learnt}")


def _kept_by_zeros(
    ground: Ground, starts: Stack, ends: Ends, runs: np.ndarray, at: list[Limit]
) -> np.ndarray:
    """Return which runs at rest have the least loss that zeros of their start allow.

    Exact descent comes to no lower value, so to no other critical one; as at a minimum,
    the step must hold what is near it.
    """
    excess = np.array([limit.excess_loss or 0.0 for limit in at])
    kept = np.zeros(runs.size, dtype=bool)
    there = np.flatnonzero(excess)
    if there.size:
        floor = RESOLVED * energy(ground)
        least = kept_loss(ground, _picked(starts, runs[there])) - ground.infimum
        kept[there] = least >= np.maximum(excess[there] - floor, floor)
    fast = np.flatnonzero(kept)
    if fast.size:
        weights = _picked(ends.weights, runs[fast])
        kept[fast] = ~_is_unstable(ground, weights, ends, runs[fast])
    return kept


def _place(limits: list[Limit], limit: Limit) -> int:
    """Return the place of a limit in a list, to which it is added if need be."""
    if limit not in limits:
        limits.append(limit)
    return limits.index(limit)


def is_exactly_critical(ground: Ground, chain: Sequence[np.ndarray]) -> bool:
    """Return whether the gradient is zero, in rational arithmetic.

    Args:
        ground: The problem; its factors count as given.
        chain: The weights.

    Returns:
        Whether every entry of $A_j^T (W X_r - Y_r) B_j^T$ is zero at the very floats.
    """
    layers = [exact.matrix(layer) for layer in chain]
    first = ground.labels.shape[1] if ground.inputs is None else None
    below = exact.identity(first) if first else exact.matrix(ground.inputs)
    under = [below]
    for layer in layers:
        under.append(layer @ under[-1])
    back = under.pop() - exact.matrix(ground.labels)
    for layer, inner in zip(layers[::-1], under[::-1], strict=True):
        if not exact.is_zero(back @ inner.T):
            return False
        back = layer.T @ back
    return True


def _picked(weights: Stack, runs: np.ndarray) -> Stack:
    return tuple(layer[..., runs] for layer in weights)


def _product(ground: Ground, weights: Stack) -> np.ndarray:
    """Return the predictions of all runs, `"run out rank"`."""
    layers = [np.moveaxis(layer, -1, 0) for layer in weights]
    total = layers[0] if ground.inputs is None else layers[0] @ ground.inputs
    for layer in layers[1:]:
        total = layer @ total
    return total


def _at_rest(ground: Ground, ends: Ends, runs: np.ndarray) -> list[Limit]:
    """Return the limits of runs that are at rest."""
    weights, excess = _picked(ends.weights, runs), ends.excess[runs]
    modes = ground.modes
    count = modes.rank
    scale = energy(ground)
    seen = np.einsum(
        "ok,roi,ik->rk",
        modes.left[:, :count],
        _product(ground, weights),
        modes.right[:, :count],
    )
    strengths = seen / modes.values[:count]
    sums = (
        np.stack(
            [strengths[:, np.array(g) - 1].sum(axis=1) for g in ground.groups], axis=1
        )
        if ground.groups
        else np.zeros((len(excess), 0))
    )
    whole = np.rint(np.clip(sums, -1, count + 1))
    fits = np.all(np.abs(sums - whole) <= CLOSE, axis=1)
    limits = []
    for pattern, fit, above in zip(whole.astype(int), fits, excess, strict=True):
        counts = tuple(map(int, pattern))
        limits.append(_limit(ground, counts, bool(fit), float(above), scale))
    return limits


def _limit(
    ground: Ground, pattern: Pattern, fits: bool, above: float, scale: float
) -> Limit:
    """Return the limit of a run at rest, with so many modes of every group learnt."""
    sizes = [len(group) for group in ground.groups]
    allowed = all(0 <= p <= s for p, s in zip(pattern, sizes, strict=True))
    if not fits or not allowed:
        return OFF
    value = ground.value(pattern) - ground.infimum
    if abs(above - value) > SAME_VALUE * scale:
        return OFF
    if value <= RESOLVED * scale:
        return AT_MINIMUM
    return Limit(SADDLE, "", ground.chosen(pattern), value)


def _is_unstable(
    ground: Ground, weights: Stack, ends: Ends, runs: np.ndarray
) -> np.ndarray:
    """Return which arrivals the step would leave: step times sharpness from 2 on."""
    layers = [np.moveaxis(layer, -1, 0) for layer in weights]
    ends_of = layers[0].shape[2], layers[-1].shape[1]
    first = np.eye(ends_of[0]) if ground.inputs is None else ground.inputs
    under = [np.broadcast_to(first, (runs.size, *first.shape))]
    over = [np.broadcast_to(np.eye(ends_of[1]), (runs.size, ends_of[1], ends_of[1]))]
    for low, high in zip(layers[:-1], layers[:0:-1], strict=True):
        under.append(low @ under[-1])
        over.append(over[-1] @ high)
    over.reverse()
    steps = ends.step_size[runs]
    bound = sum(
        np.sum(a * a, axis=(1, 2)) * np.sum(b * b, axis=(1, 2))
        for a, b in zip(over, under, strict=True)
    )
    shaky = steps * bound >= 2
    for place in np.flatnonzero(shaky):
        gram = sum(
            np.kron(b[place].T @ b[place], a[place] @ a[place].T)
            for a, b in zip(over, under, strict=True)
        )
        shaky[place] = steps[place] * np.linalg.eigvalsh(gram)[-1] >= 2
    return shaky
