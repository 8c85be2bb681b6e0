"""Descents by other optimizers, on all samples or on batches, through optax.

The optimizer is any optax transformation that needs no more than gradient and
weights. `_training` takes its steps in compiled slices; what is recorded of each is
also the angle it makes with the negative gradient of all samples (see `angle`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._core.arrays import Key
from thalweg._core.errors import DomainError, at_least_zero, unknown, whole
from thalweg._core.outcome import Outcome
from thalweg.motion._run import lay_out
from thalweg.motion._trained import GIVEN, Run, drive
from thalweg.motion._training import Course
from thalweg.motion.descend import Progress
from thalweg.motion.path import Path
from thalweg.motion.record import choose_measures
from thalweg.motion.starts import lifted, unstacked
from thalweg.problem.samples import SampleProblem


def _sgd(step_size: Any, options: Any) -> Any:
    return _optax().sgd(step_size)


def _heavy_ball(step_size: Any, options: Any) -> Any:
    return _optax().sgd(step_size, momentum=options["momentum"])


def _nesterov(step_size: Any, options: Any) -> Any:
    return _optax().sgd(step_size, momentum=options["momentum"], nesterov=True)


def _adam(step_size: Any, options: Any) -> Any:
    return _optax().adam(step_size, **options)


OPTIMIZERS: dict[str, tuple[Callable[[Any, Any], Any], dict[str, float]]] = {
    "sgd": (_sgd, {}),
    "heavy_ball": (_heavy_ball, {"momentum": 0.9}),
    "nesterov": (_nesterov, {"momentum": 0.9}),
    "adam": (_adam, {"b1": 0.9, "b2": 0.999, "eps": 1e-8}),
}
"""The optimizers known by name, with the defaults of their options."""


def train(
    problem: Any,
    weights: Any,
    optimizer: Any,
    *,
    iterations: Any,
    step_size: Any = None,
    options: Mapping[str, Any] | None = None,
    batch_size: Any = None,
    key: Key = 0,
    accuracy: float | None = None,
    measures: Sequence[Any] = ("loss",),
    every: int | None = None,
    records: int = 200,
    at: Any = None,
    on_progress: Callable[[Progress], None] | None = None,
    throw: bool = False,
) -> Path:
    r"""Run an optimizer and record measures, and the angle of its steps, on the way.

    With a batch size every step sees that many samples, drawn without replacement
    until an epoch is over; what is left of an epoch and does not fill a batch sits
    out. The samples' order follows from the key alone. Several starts see the same
    batches, each as it would alone.

    Beside the measures two columns are recorded, both of the step that is taken
    next, against the gradient over all samples. `angle_cosine` is the cosine between
    the step $s$ and $-\nabla L$; `descent_ratio` is
    $(L(W) - L(W + s)) / (\|\nabla L\| \|s\|)$; where rounding hides that difference,
    its first order, the cosine, stands for it. Where step or gradient vanish, both
    are 1.

    A run ends when the excess loss is at most `accuracy` (converged; with batches
    this asks for the loss over all samples after every step, which costs as much as
    a third of a full gradient); when the excess loss it sees exceeds 1e16 times its
    scale or leaves float64 (diverged; the path then ends at the last iterate before
    that); or when the iterations are spent. It is never told that a run has come to
    rest. Ctrl-C ends it too and keeps what was recorded; `resume` goes on from
    there, bit for bit, unless the optimizer came as an object, whose memory is not
    kept.

    Args:
        problem: A `Problem`, a `SampleProblem` or a `Playground`.
        weights: One start, or several stacked along a leading axis.
        optimizer: `sgd`, `heavy_ball`, `nesterov` or `adam`; or an optax
            transformation that needs no more than gradient and weights.
        iterations: Most steps to take, at least 0.
        step_size: A number `> 0`, or one per run; not for an object, which has its
            own.
        options: Of a named optimizer: `momentum` (0.9) of `heavy_ball` and
            `nesterov`; `b1` (0.9), `b2` (0.999) and `eps` (1e-8) of `adam`.
        batch_size: Samples a step sees, from 1 to all; `None` for all, without
            drawing. Only a `SampleProblem` has samples.
        key: Decides the order of the samples.
        accuracy: Excess loss at which to stop, `>= 0`; `None` never stops for it.
        measures: Names or measure objects to record.
        every: Record every so many iterations.
        records: Otherwise record about so many, logarithmically spaced.
        at: Otherwise record exactly at these iterations.
        on_progress: Called about four times a second with a `Progress`.
        throw: Raise if a single run diverges or is interrupted.

    Returns:
        The path. Its `velocity` is the optimizer's memory, array by array; its
        `step_size` is NaN where the optimizer came as an object.

    Raises:
        DomainError: If a number is out of its domain, or options or batches are
            asked of what has none.
        UnknownName: If the optimizer or an option is not known.
        ShapeError: If the weights do not fit the problem, or batches differ.
        RunFailed: With `throw`, if a single run did not end well.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> path = train(Playground(2), [0.5, 0.5], "sgd", step_size=1 / 6,
        ...              iterations=1000, accuracy=1e-6)
        >>> path.outcome.iteration, path["angle_cosine"].round(12).min().item()
        (21, 1.0)

    Source:
        Chitour, Liao, Couillet, Remark 1.
    """
    name, build, chosen = _method(optimizer, step_size, options)
    starts, steps, batched = lay_out(
        problem, weights, 1.0 if name == GIVEN else step_size
    )
    settings: dict[str, Any] = {
        "kind": "training",
        "optimizer": name,
        "options": chosen,
        "iterations": whole("iterations", iterations),
        "accuracy": None
        if accuracy is None
        else float(at_least_zero("accuracy", accuracy)),
        "batch_size": _checked_size(problem, batch_size),
        "key": None if batch_size is None else _words(key),
        "every": None if every is None else whole("every", every, least=1),
        "records": whole("records", records, least=2),
        "at": None if at is None else [whole("at", i) for i in np.ravel(at)],
    }
    course = Course(
        build,
        choose_measures(measures, problem),
        settings["batch_size"],
        _is_exact(settings),
    )
    run = Run(problem, course, settings, starts, steps, batched)
    path = drive(run, run.first_state(), None, on_progress)
    if throw and isinstance(path.outcome, Outcome):
        path.outcome.raise_if_bad()
    return path


def go_on(
    path: Path,
    iterations: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Go on with a training that was interrupted or ran out of budget.

    Args:
        path: A path from `train` (possibly saved and loaded since).
        iterations: New last iteration; the old one if `None`.
        on_progress: As in `train`.

    Returns:
        The whole path. With the old number of iterations it equals, bit for bit, the
        path of a run that was never interrupted.

    Raises:
        DomainError: If the path reaches further already, or its optimizer came as an
            object.
    """
    settings = path.settings
    if settings["optimizer"] == GIVEN:
        raise DomainError(
            "the optimizer of this path came as an object, whose memory is not kept; "
            "train again from its start, or name the optimizer."
        )
    last = settings["iterations"] if iterations is None else iterations
    if whole("iterations", last) < path.clock[-1]:
        raise DomainError(
            f"iterations is {last} but the path already reaches {path.clock[-1]}; ask "
            "for more."
        )
    course = Course(
        OPTIMIZERS[settings["optimizer"]][0],
        path.measures,
        settings["batch_size"],
        _is_exact(settings),
    )
    lift = unstacked(True) if path.batched else lifted
    run = Run(
        path.problem,
        course,
        {**settings, "iterations": int(last)},
        lift(path.start),
        jnp.atleast_1d(jnp.asarray(path.step_size)),
        path.batched,
    )
    state = run.later_state(path, lift(path.weights), lift(path.velocity))
    return drive(run, state, path, on_progress).with_notes(**path.notes)


def _is_exact(settings: dict[str, Any]) -> bool:
    """Return whether the loss tested after a step is that over all samples."""
    return settings["batch_size"] is None or settings["accuracy"] is not None


def _method(
    optimizer: Any, step_size: Any, options: Mapping[str, Any] | None
) -> tuple[str, Any, dict[str, float]]:
    """Return an optimizer's name, what builds it, and its options."""
    if not isinstance(optimizer, str):
        return GIVEN, _Given.checked(optimizer, step_size, options), {}
    if optimizer not in OPTIMIZERS:
        raise unknown(optimizer, OPTIMIZERS, "the list of optimizers")
    if step_size is None:
        raise DomainError(f"{optimizer} needs a step_size; pass a number above zero.")
    build, defaults = OPTIMIZERS[optimizer]
    given = dict(options or {})
    for name in given:
        if not defaults:
            raise DomainError(f"{optimizer} has no options, but '{name}' came.")
        if name not in defaults:
            raise unknown(name, defaults, f"the options of {optimizer}")
        if at_least_zero(name, given[name]) >= 1:
            raise DomainError(f"{name} is {given[name]}; it must be from 0 to below 1.")
    return optimizer, build, {k: float(v) for k, v in {**defaults, **given}.items()}


@dataclass(frozen=True)
class _Given:
    """An optax transformation that came as an object, as what builds it."""

    transformation: Any

    @classmethod
    def checked(cls, transformation: Any, step_size: Any, options: Any) -> "_Given":
        if not all(
            callable(getattr(transformation, name, None)) for name in ("init", "update")
        ):
            raise DomainError(
                f"optimizer is {transformation!r}; pass {', '.join(OPTIMIZERS)} or an "
                "optax transformation."
            )
        if step_size is not None or options:
            raise DomainError(
                "step_size or options came with an optax transformation, which has its "
                "own; leave them out."
            )
        return cls(transformation)

    def __call__(self, step_size: Any, options: Any) -> Any:
        return self.transformation


def _checked_size(problem: Any, batch_size: Any) -> int | None:
    if batch_size is None:
        return None
    if not isinstance(problem, SampleProblem):
        raise DomainError(
            f"batch_size came with a {type(problem).__name__}, which keeps no samples; "
            "pose a SampleProblem, or leave batch_size out."
        )
    size = whole("batch_size", batch_size, least=1)
    if size > problem.samples:
        raise DomainError(
            f"batch_size is {size}, but there are {problem.samples} samples."
        )
    return size


def _words(key: Key) -> list[int]:
    """Return a key as plain integers."""
    typed = jax.random.key(key) if isinstance(key, int) else key
    words: list[int] = np.asarray(jax.random.key_data(typed)).tolist()
    return words


def _optax() -> Any:
    import optax  # noqa: PLC0415  (only trainings need it)

    return optax
