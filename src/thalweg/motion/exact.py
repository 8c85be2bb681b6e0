"""Gradient flow without steps: closed forms of white data, at any time."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Array
from thalweg._core.errors import DomainError, unknown
from thalweg._core.outcome import Outcome, Status
from thalweg._core.papers import BRAUN2022, DOMINE2025, FUKUMIZU1998, SAXE2014
from thalweg.motion._aligned import ROUNDING, AlignedModes, aligned_modes
from thalweg.motion._modes import (
    escape_time,
    learning_time,
    mode_strength,
    mode_time,
)
from thalweg.motion._riccati import TwoLayers
from thalweg.motion.path import Path
from thalweg.motion.record import Measures, choose_measures, kept_times, read_all
from thalweg.problem.problem import Problem
from thalweg.problem.scalar import Playground

__all__ = [
    "ExactFlow",
    "escape_time",
    "exact_flow",
    "learning_time",
    "mode_strength",
    "mode_time",
]

_Array = np.ndarray

SOURCES = (SAXE2014, FUKUMIZU1998, BRAUN2022, DOMINE2025)
AT_REST = 1e-9
"""Gradient norm at which a path counts as stalled, as for `flow`."""


@dataclass(frozen=True)
class _OneLayer:
    """A single layer goes straight to the target."""

    target: _Array
    start: _Array
    kind: str = "one layer"

    def end_to_end(self, times: _Array) -> _Array:
        """Return the layer at these times."""
        fade = np.exp(-times)[:, None, None]
        return self.target + fade * (self.start - self.target)

    def grams(self, times: _Array) -> tuple[_Array, _Array]:
        """Return `W^T W` and `W W^T` at these times."""
        whole = self.end_to_end(times)
        turned = whole.transpose(0, 2, 1)
        return turned @ whole, whole @ turned

    def weights(self, times: _Array) -> tuple[_Array, ...]:
        """Return the layer at these times."""
        return (self.end_to_end(times),)


_ClosedForm = AlignedModes | TwoLayers | _OneLayer


@dataclass(frozen=True, eq=False)
class ExactFlow:
    """A gradient flow known in closed form, read at given times.

    `flow["loss"]`, `flow["excess_loss"]` and `flow["end_to_end"]` are columns, as
    of a path; `flow.path(measures)` records any measures.

    Attributes:
        problem: What is minimised.
        start: The weights at the start.
        times: Flow times, in the order asked for, `"time"`.
        kind: Which closed form holds.
        end_to_end: The end-to-end matrix at each time, `"time out in"`.
        excess_loss: The loss above its infimum at each time, `"time"`.
        loss: The loss itself, `"time"`.
    """

    problem: Any
    start: Any
    times: np.ndarray
    kind: str
    end_to_end: np.ndarray
    excess_loss: np.ndarray
    loss: np.ndarray
    _solution: _ClosedForm = field(repr=False)

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a column, time along the first axis.

        Args:
            name: `loss`, `excess_loss` or `end_to_end`.

        Returns:
            The column.

        Raises:
            UnknownName: If it is none of these; `path(measures)` records others.
        """  # noqa: DOC501
        columns = ("loss", "excess_loss", "end_to_end")
        if name not in columns:
            raise unknown(name, columns, "this flow's columns")
        return getattr(self, name)

    def __str__(self) -> str:
        """Return one line: the closed form, the times, the loss."""
        count = self.times.size
        if not count:
            return f"exact flow ({self.kind}) at no times"
        first, last = self.times.min(), self.times.max()
        return (
            f"exact flow ({self.kind}) at {count} time{'s' * (count != 1)} from "
            f"{first:.6g} to {last:.6g}, excess loss from {self.excess_loss.max():.3g} "
            f"to {self.excess_loss.min():.3g}"
        )

    @cached_property
    def weights(self) -> Any:
        """Return the weights at every time: one `"time out in"` array a layer.

        They are the flow's own, hidden units included. For two layers balanced up
        to lambda this takes a rotation of the hidden space that is integrated along
        the flow (to about 1e-13); products, losses, Gram matrices, singular values
        and invariants do not depend on it.
        """
        layers = self._solution.weights(self.times)
        if isinstance(self.problem, Playground):
            return np.concatenate([layer[:, 0] for layer in layers], axis=1)
        return layers

    @cached_property
    def grams(self) -> tuple[np.ndarray, np.ndarray]:
        """Return `W_1^T W_1`, `"time in in"`, and `W_N W_N^T`, `"time out out"`."""
        return self._solution.grams(self.times)

    def path(self, measures: Sequence[Any] = ("loss",)) -> Path:
        """Return the flow as a path, to be drawn, compared and saved like any other.

        Args:
            measures: Names or measure objects to record.

        Returns:
            The path; its clock is flow time.

        Raises:
            DomainError: If the times are not an increasing sequence from 0.
            DataError: If infinity is among them.
        """
        clock = kept_times(None, self.times, 0)
        chosen = choose_measures(measures, self.problem)
        weights = jax.tree.map(jnp.asarray, self.weights)
        end = jax.tree.map(lambda leaf: leaf[-1], weights)
        columns = jax.device_get(_columns(self.problem, weights, chosen))
        return Path(
            problem=self.problem,
            measures=chosen,
            settings={
                "kind": "flow",
                "horizon": float(clock[-1]),
                "times": clock.tolist(),
                "accuracy": None,
                "gradient_tolerance": AT_REST,
                "solver": "exact",
                "rtol": 0.0,
                "atol": 0.0,
                "max_steps": 0,
                "compress": False,
            },
            start=self.start,
            weights=end,
            velocity=None,
            step_size=None,
            clock=clock,
            columns={name: columns[name] for name, _ in chosen},
            outcome=self._outcome(end),
            batched=False,
            notes={"exact": self.kind, "sources": [asdict(one) for one in SOURCES]},
        )

    def _outcome(self, end: Any) -> Outcome:
        slope = jax.tree.leaves(self.problem.gradient(end))
        rests = sum(float(jnp.sum(part * part)) for part in slope) <= AT_REST**2
        time, excess = float(self.times[-1]), float(self.excess_loss[-1])
        at = f"at time {time:.6g}: excess loss {excess:.3g}"
        return Outcome(
            status=Status.STALLED if rests else Status.OUT_OF_BUDGET,
            iteration=0,
            loss=float(self.loss[-1]),
            excess_loss=excess,
            message=f"stalled {at}, at a critical point within the tolerance."
            if rests
            else f"out of budget {at}; ask for a longer horizon.",
            time=time,
        )


def exact_flow(problem: Any, weights: Any, times: Any) -> ExactFlow:
    r"""Return the gradient flow $\dot W = -\nabla L(W)$ in closed form.

    White data are needed, and one of these starts, to rounding (256 eps relative to
    the layers):

    * one layer, whatever the start;
    * any depth, layers and target diagonal in common orthonormal bases: each mode
      moves by itself (see `mode_strength`). Degenerate, missing, negative and
      vanishing modes are included, and so is every critical point;
    * two layers with $W_2^\top W_2 - W_1 W_1^\top = \lambda I$, of any shape, rank
      and $\lambda$, or with one hidden unit.

    Nothing is integrated, so the cost and the error, a few units of rounding times
    the conditioning of the flow, do not depend on the times. What is below rounding
    in the start (as for a numerical rank) counts as zero: no saddle is left by noise.

    Args:
        problem: A `Problem` with white data, or a `Playground`.
        weights: One start.
        times: Flow times, a sequence of numbers `>= 0`, in any order; infinity gives
            the limit.

    Returns:
        The flow at these times.

    Raises:
        DomainError: If the data are not white, a time is out of its domain, or the
            start has no closed form; the message says how far it is from one.
        ShapeError: If the weights do not fit.

    Example:
        >>> from thalweg.problem.moments import Moments
        >>> from thalweg.problem.nets import LinearNet
        >>> from thalweg.problem.problem import Problem
        >>> target = np.array([[2.0, 0.5], [0.0, 1.0]])
        >>> problem = Problem(LinearNet((2, 2, 2)), Moments.whitened(target))
        >>> flow = exact_flow(problem, [np.diag([0.5, 0.2])] * 2, [1.0, np.inf])
        >>> np.round(flow.end_to_end[0], 8).tolist()
        [[1.78887194, 0.43853557], [0.11337436, 0.26196296]]
        >>> flow.kind
        'two balanced layers'

    Source:
        Saxe, McClelland, Ganguli; Fukumizu; Braun, Domine, Fitzgerald, Saxe; Domine
        et al. The last three assume full ranks and fitting shapes; here the integral
        of exp(2Fs) is kept, which needs neither.
    """
    clock = _checked(times)
    start = problem.check(weights)
    if not _is_white(problem):
        raise DomainError(
            "closed forms are known for the squared loss on white data, and this "
            "problem is another; pass whiten=True to Moments.from_data, or integrate "
            "with tw.flow."
        )
    layers = [np.asarray(layer) for layer in problem.chain(start)]
    target = np.asarray(problem.target)
    solution = _closed_form(target, layers)
    whole = solution.end_to_end(clock)
    excess = np.sum((target - whole) ** 2, axis=(1, 2)) / 2 - float(problem.infimum)
    return ExactFlow(
        problem=problem,
        start=start,
        times=clock,
        kind=solution.kind,
        end_to_end=whole,
        excess_loss=excess,
        loss=excess + float(problem.floor),
        _solution=solution,
    )


def _is_white(problem: Any) -> bool:
    if isinstance(problem, Problem):
        return problem.data.is_whitened
    return isinstance(problem, Playground)


def _checked(times: Any) -> np.ndarray:
    try:
        clock = np.asarray(times, dtype=np.float64)
    except (TypeError, ValueError):
        clock = np.full(1, np.nan)
    if clock.ndim != 1 or not np.all(clock >= 0):
        raise DomainError(
            "times must be a sequence of flow times, each a number >= 0; infinity "
            "gives the limit."
        )
    return clock


def _closed_form(target: np.ndarray, layers: list[np.ndarray]) -> _ClosedForm:
    if len(layers) == 1:
        return _OneLayer(target, layers[0])
    modes = aligned_modes(target, layers)
    if modes.gap <= ROUNDING:
        return modes
    away = "two layers are needed for another closed form"
    if len(layers) == 2:
        first, last = layers
        gap = last.T @ last - first @ first.T
        size = float(np.sum(first**2) + np.sum(last**2))
        balance = float(np.trace(gap)) / len(gap)
        miss = float(np.linalg.norm(gap - balance * np.eye(len(gap)))) / size
        if miss <= ROUNDING:
            balance = balance if abs(balance) > ROUNDING * size else 0.0
            return TwoLayers.of(target, layers, balance)
        away = f"its invariant is {miss:.2g} from a multiple of the identity"
    raise DomainError(
        f"the start has no closed form: relative to its layers it is {modes.gap:.2g} "
        f"from modes aligned with the target, and {away} (rounding is {ROUNDING:.1g}); "
        "integrate with tw.flow, which takes every start."
    )


@partial(jax.jit, static_argnames=("measures",))
def _columns(problem: Any, weights: Any, measures: Measures) -> dict[str, Array]:
    return dict(jax.vmap(lambda one: read_all(problem, one, measures))(weights))
