r"""Other ways to leap, at equal verified error.

With $G$ the step and $\Delta = G - I$ what it adds, all want $G^T$ without $T$ steps:
the flow of $\log G$, by its series in differences or in derivatives, or $G^H$ itself,
extrapolated from coarser compositions.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

import thalweg as tw
from benchmarks.problems import balanced_start, problem
from benchmarks.timing import Row, Table, paced
from thalweg.motion._logarithm import logarithm

WIDTHS = (5, 5, 5, 5)
GOAL = 1e-9
TOLERANCES = tuple(10.0**power for power in range(-7, -13, -1))
MOST_STEPS = 100_000

Change = Callable[[Any], Any]


@dataclass(frozen=True)
class Case:
    """A descent to be leapt: how it starts, and where true steps bring it."""

    name: str
    posed: tw.Problem
    weights: Any
    step_size: float
    iterations: int

    def change(self, flat: Any) -> Any:
        """Return what a step adds."""
        restore = ravel_pytree(self.weights)[1]
        slope = self.posed.gradient(restore(flat))
        return -self.step_size * ravel_pytree(slope)[0]


@dataclass(frozen=True)
class Method:
    """A way to leap: `run(change, start, iterations, order, tolerance, tick)`.

    `tick` is told how many gradients an evaluation took.
    """

    name: str
    run: Callable[..., Any]
    orders: tuple[int, ...] = (1,)


def alternatives(quick: bool) -> Table:
    """Compare ways to leap by the gradients they spend to err by 1e-9."""
    rows = []
    for case in islice(_cases(quick), 1 if quick else None):
        walked, walk_first, true = paced(partial(_walked, case), rounds=1)
        scale = np.max(np.abs(true))
        rows += [
            _row(case, "true steps", "", case.iterations, walked, walk_first, 0.0),
            _ours(case, true, scale),
        ]
        for method in METHODS:
            rows.append(_cheapest(case, method, true, scale, quick))
    return Table(
        "Leaps: other ways, at equal error",
        f"Net {'-'.join(map(str, WIDTHS))}; the cheapest setting of each method with "
        f"an error below {GOAL:.0e} of the largest weight against true steps, or else "
        "its best. Gradients are counted as they are evaluated, a derivative along a "
        "direction as two. `tw.leap` finds its setting by itself, in two runs; "
        "the gradients of the finer are counted. The other methods are told theirs.",
        rows,
    )


def _cases(quick: bool) -> Iterator[Case]:
    draw = np.random.default_rng(3)
    left, right = (np.linalg.qr(draw.standard_normal((5, 5)))[0] for _ in range(2))
    noise = [draw.standard_normal((5, 5)) for _ in range(3)]

    def case(name: str, strengths: Any, learnt: Any, std: float, ratio: float) -> Case:
        begun = balanced_start(WIDTHS, (left * learnt) @ right)
        weights = tuple(
            jnp.asarray(w + std * e) for w, e in zip(begun, noise, strict=True)
        )
        posed = problem(WIDTHS, (left * strengths) @ right)
        # The sharpness at a balanced minimum is depth * strength^(2 - 2 / depth).
        step, horizon = ratio / 3, 4.0 if quick else 200.0
        title = f"{name}, step x sharpness {ratio:g}"
        return Case(title, posed, weights, step, round(horizon / step))

    saddle = np.array([1.0, 0, 0, 0, 0])
    strengths = np.array([1.0, 0.8, 0.6, 0.4, 0.05])
    for ratio in (1e-2, 1e-4):
        yield case("escape", strengths, saddle, 0.02, ratio)
        yield case("tail", strengths, 0.5 * strengths, 0.02, ratio)


def _walked(case: Case) -> np.ndarray:
    path = tw.descend(
        case.posed,
        case.weights,
        step_size=case.step_size,
        iterations=case.iterations,
        records=2,
        compress=False,
    )
    return np.asarray(ravel_pytree(path.weights)[0])


def _ours(case: Case, true: np.ndarray, scale: float) -> Row:
    seconds, first, path = paced(
        lambda: tw.leap(
            case.posed,
            case.weights,
            step_size=case.step_size,
            iterations=case.iterations,
            tolerance=GOAL,
            records=2,
            compress=False,
        )
    )
    told = path.notes["leaps"]
    error = _error(ravel_pytree(path.weights)[0], true, scale)
    setting = f"{told['leaps']} leaps, {told['true_steps']:,} true steps"
    return _row(case, "tw.leap", setting, told["gradients"], seconds, first, error)


def _cheapest(
    case: Case, method: Method, true: np.ndarray, scale: float, quick: bool
) -> Row:
    """Return the setting that meets the goal with the fewest gradients, or the best."""
    found = []
    tolerances = TOLERANCES[::3] if quick else TOLERANCES
    spent: list[int] = []
    tallied = _compiled(case, method, lambda many: spent.append(int(many)))
    for order, tolerance in product(method.orders, tolerances):
        spent.clear()
        end = jax.block_until_ready(tallied(order, tolerance))
        jax.effects_barrier()
        error = _error(end, true, scale)
        found.append((not error <= GOAL, sum(spent), error, order, tolerance))
    missed = all(setting[0] for setting in found)
    best = min(found, key=lambda s: s[2] if missed else s[:2])
    _, gradients, error, order, tolerance = best
    run = partial(_compiled(case, method), order, tolerance)
    seconds, first, _ = paced(run)
    orders = f"order {order}, " if len(method.orders) > 1 else ""
    setting = f"{orders}tolerance {tolerance:.0e}"
    return _row(case, method.name, setting, gradients, seconds, first, error)


def _compiled(
    case: Case, method: Method, tally: Callable[[Any], None] | None = None
) -> Callable[[int, float], Any]:
    start = ravel_pytree(case.weights)[0]
    total = float(case.iterations)

    def tick(gradients: Any) -> None:
        if tally is not None:
            jax.debug.callback(tally, gradients)

    @jax.jit
    def run(order: Any, tolerance: Any) -> Any:
        return method.run(case.change, start, total, order, tolerance, tick)

    return lambda order, tolerance: run(jnp.asarray(order), jnp.asarray(tolerance))


def _error(end: Any, true: np.ndarray, scale: float) -> float:
    apart = np.max(np.abs(np.asarray(end) - true)) / scale
    return float(apart) if np.isfinite(apart) else np.inf


def _row(
    case: Case,
    method: str,
    setting: str,
    gradients: int,
    seconds: float,
    first: float,
    error: float,
) -> Row:
    return {
        "case": f"{case.name}, {case.iterations:,} iterations",
        "method": method,
        "setting": setting,
        "gradients": gradients,
        "seconds": seconds,
        "first call": first,
        "error": error,
    }


def _series(change: Change, flat: Any, order: Any) -> Any:
    """Return the logarithm's series in differences, and its price."""
    return logarithm(change, flat, order), order


def _second(change: Change, flat: Any, _order: Any) -> Any:
    """Return the modified equation to second order in the step."""
    move, along = jax.jvp(change, (flat,), (change(flat),))
    return move - along / 2, 3


def _third(change: Change, flat: Any, _order: Any) -> Any:
    """Return the modified equation to third order in the step."""
    move = change(flat)

    def along(direction: Any, point: Any) -> Any:
        return jax.jvp(change, (point,), (direction,))[1]

    once = along(move, flat)
    twice = along(once, flat)
    bend = jax.jvp(partial(along, move), (flat,), (move,))[1]
    return move - once / 2 + twice / 3 + bend / 12, 9


def _plain(change: Change, flat: Any, _order: Any) -> Any:
    """Return gradient flow, its time counted in steps."""
    return change(flat), 1


def _by_solver(
    solver: diffrax.AbstractSolver,
    field: Callable[..., Any],
    change: Change,
    start: Any,
    total: float,
    order: Any,
    tolerance: Any,
    tick: Any,
) -> Any:
    """Follow a field by an adaptive solver."""

    @jax.custom_jvp
    def told(flat: Any, order: Any) -> Any:
        found, price = field(change, flat, order)
        tick(price)
        return found

    @told.defjvp
    def told_along(primals: Any, tangents: Any) -> Any:
        flat, order = primals
        value, price = field(change, flat, order)
        along = jax.jvp(lambda w: field(change, w, order)[0], (flat,), tangents[:1])[1]
        # An implicit solver differentiates along every direction at once.
        tick(2 * price * flat.size)
        return value, along

    return diffrax.diffeqsolve(
        diffrax.ODETerm(lambda _t, flat, order: told(flat, order)),
        solver,
        0.0,
        total,
        None,
        start,
        order,
        stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
        max_steps=MOST_STEPS,
        throw=False,
    ).ys[-1]


def _extrapolated(
    columns: int,
    change: Change,
    start: Any,
    total: float,
    _order: Any,
    tolerance: Any,
    tick: Any,
) -> Any:
    r"""Compose $I + h \Delta$ over a leap and extrapolate to $h = 1$, which is exact.

    A leap of $H$ iterations is composed of 1, 2, ..., `columns` parts, so that
    $h = H, H/2, \dots$; the polynomial through the ends is evaluated at one.
    """
    parts = range(1, columns + 1)
    spent = 1 + sum(part - 1 for part in parts)

    def composed(base: Any, move: Any, span: Any, part: int) -> Any:
        def on(_: Any, added: Any) -> Any:
            return added + span / part * change(base + added)

        return lax.fori_loop(1, part, on, span / part * move)

    def leap(carry: Any) -> Any:
        base, time, length, taken = carry
        span = jnp.floor(jnp.minimum(length, total - time))
        move = change(base)
        tick(spent)
        places = [span / part - 1 for part in parts]
        ends = [composed(base, move, span, part) for part in parts]
        # A leap of no more iterations than parts was taken by true steps.
        walked = span <= columns
        exact = jnp.stack(ends)[jnp.clip(span.astype(int) - 1, 0, columns - 1)]
        before = ends[-1]
        for level in range(1, columns):
            before = ends[-1]
            ends = [
                fine + (fine - rough) * near / (far - near)
                for rough, fine, far, near in zip(
                    ends[:-1], ends[1:], places[:-level], places[level:], strict=True
                )
            ]
        bound = tolerance * (1 + jnp.max(jnp.abs(base)))
        amiss = jnp.max(jnp.abs(ends[0] - before)) / bound
        amiss = jnp.where(walked, 0.0, amiss)
        fine = amiss <= 1
        growth = jnp.clip(0.9 * jnp.maximum(amiss, 1e-30) ** (-1 / columns), 0.2, 4.0)
        growth = jnp.where(jnp.isfinite(amiss), growth, 0.2)
        return (
            jnp.where(fine, base + jnp.where(walked, exact, ends[0]), base),
            jnp.where(fine, time + span, time),
            jnp.maximum(span * growth, 1.0),
            taken + 1,
        )

    def going(carry: Any) -> Any:
        return (carry[1] < total) & (carry[3] < MOST_STEPS)

    begun = (start, jnp.zeros(()), jnp.asarray(1.0), 0)
    end, time, _, _ = lax.while_loop(going, leap, begun)
    return jnp.where(time < total, jnp.nan, end)


def _methods() -> Iterator[Method]:
    orders = (2, 3)
    for solver in (diffrax.Dopri8(), diffrax.Tsit5(), diffrax.Dopri5()):
        name = f"log series, {type(solver).__name__}"
        yield Method(name, partial(_by_solver, solver, _series), orders)
    implicit = diffrax.Kvaerno5()
    yield Method("log series, Kvaerno5", partial(_by_solver, implicit, _series), orders)
    for name, field in (("second", _second), ("third", _third)):
        told = f"modified equation to {name} order, Dopri8"
        yield Method(told, partial(_by_solver, diffrax.Dopri8(), field))
    for columns in (4, 6, 8):
        told = f"extrapolated multirevolution Euler, {columns} columns"
        yield Method(told, partial(_extrapolated, columns))
    flow = partial(_by_solver, diffrax.Dopri8(), _plain)
    yield Method("gradient flow, Dopri8", flow)


METHODS = tuple(_methods())
