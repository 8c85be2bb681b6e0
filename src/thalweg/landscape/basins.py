"""Which starts lead where: thousands of descents, each to a verdict with its reason."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from thalweg._core.errors import DomainError, whole
from thalweg.landscape._following.carrying import (
    BasinsProgress,
    carry_out,
    continued,
    opened,
)
from thalweg.landscape._following.drawing import starts_of
from thalweg.landscape._following.parts import Part, forget_parts
from thalweg.landscape._following.task import Task
from thalweg.landscape._points.ground import Ground
from thalweg.landscape.tally import Basins, gathered


def basins(
    problem: Any,
    init: Any = "gaussian",
    *,
    runs: int | None = None,
    std: float | None = None,
    seed: int = 0,
    method: str = "descent",
    step_size: float | None = None,
    iterations: int = 100_000,
    accuracy: float | None = None,
    beyond: int | None = None,
    confidence: float = 0.95,
    out: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    on_progress: Callable[[BasinsProgress], None] | None = None,
) -> Basins:
    r"""Follow many starts and say where each of them ends.

    Every run is gradient descent with a constant step of its own. With no `step_size`
    it is half the reciprocal of a bound on the sharpness at the run's start (or at a
    balanced minimum, if that is larger), halved, and the run begun again, whenever the
    loss rises: so along the run that counts the loss never rose. `columns.step_size`
    holds it, and `Basins.follow` records the path. `method="flow"` takes steps 25
    times smaller, of which the polygon is near the gradient flow; no error is told.

    The verdicts, and what each rests on:

    - *global minimum*: the excess loss is at most `accuracy`, which is below that of
      every saddle. A loss that does not rise can lead to no other critical value. So
      that it does not rise later (with a `step_size` of your own it may have before),
      an arrival counts only if the step times the sharpness is below 2: the minimum
      holds what is near it.
    - *saddle*: a step changes no bit of the weights, of the prediction $W X_r = P Y_r$
      every mode is learnt or not to 1e-6, and the loss is that critical value to 1e-9;
      besides, the gradient is zero in rational arithmetic (there to the last bit), or
      zeros of the start, which descent keeps, allow no lower loss (by zeros). Where a
      symmetry of the start keeps exact descent from the minima (equal commuting layers,
      tied factors), its limit is the verdict, wherever rounding has led the floats.
    - *diverged*: the excess loss exceeds 1e16 times its scale, or float64.
    - *undecided*: all others, with the reason. A plateau is one, however long, and so
      is rest by a saddle where the gradient is only too small to move a float.

    A strict saddle attracts no open set, so in floats it is reached from starts on an
    exactly invariant set, such as symmetric ones. Non-strict saddles are approached
    like a power of time. `beyond` follows what the budget left undecided by leaps; as a
    leap is descent to a tolerance, it counts only where two of different tolerance
    agree.

    Args:
        problem: A `Problem` or a `Playground`.
        init: A name on the shelf of inits, an init, or starts stacked along a leading
            axis of every layer.
        runs: How many starts; 10,000 if they are drawn, all if they are given.
        std: Standard deviation, with a name; the init's own if `None`.
        seed: Run `i` starts at `init.draw(fold_in(key(seed), i), net)`, to rounding;
            `Basins.start` gives it to the last bit.
        method: `descent` or `flow`.
        step_size: The same step for all runs, `> 0`; `None` for one each, as above.
        iterations: Most steps of a run, at least 1.
        accuracy: Excess loss at which a run has arrived; `None` for a millionth of half
            the labels' square norm, or half the lowest saddle's if that is less.
        beyond: Follow undecided runs by `motion.leap` up to this iteration, at a
            fraction of a second each, or more; `None` leaves them.
        confidence: Of the intervals.
        out: Folder for chunks as they are finished, and the result: whatever ends the
            process, what was finished is there for `Basins.load` and `resume`.
        resume: Folder of an earlier call with the same arguments (`runs` may be more):
            go on there.
        on_progress: Called about four times a second with a `BasinsProgress`.

    Returns:
        Counts with intervals, times, and what is known of every run. The same arguments
        give the same bits on the same machine. After Ctrl-C: the chunks that were
        whole, `interrupted` set.

    Raises:
        DomainError: If a number is out of its domain, the accuracy does not tell
            minima from saddles, or `resume` holds a result of other arguments.

    Example:
        >>> from thalweg.problem.scalar import Playground
        >>> found = basins(Playground(2), [[-1.0, 1.0], [0.5, 0.5], [-0.7, 0.9]])
        >>> [str(found.limit_of(run)) for run in range(3)]
        ['saddle, modes learnt: none', 'global minimum', 'global minimum']

    Source:
        Chitour, Liao, Couillet, Section 4 (conjecture); EPFL CS-439, Lecture 6,
        Exercise 42.
    """
    ground = Ground.of(problem)
    starts = starts_of(problem, init, seed=whole("seed", seed), std=std)
    task = Task.of(
        ground,
        starts,
        runs=runs,
        method=method,
        step_size=step_size,
        iterations=iterations,
        accuracy=accuracy,
        beyond=beyond,
        confidence=confidence,
    )
    if out is not None and resume is not None:
        raise DomainError("out and resume both came; resume writes where it reads.")
    folder, done = None, list[Part]()
    if resume is not None:
        folder = Path(resume)
        task, done = continued(task, folder)
    elif out is not None:
        folder = Path(out)
        opened(task, folder)
    parts = carry_out(task, done, folder, on_progress)
    result = gathered(problem, task.settings, parts, task.starts)
    if folder is not None and not result.interrupted:
        result.save(folder)
        forget_parts(folder)
    return result
