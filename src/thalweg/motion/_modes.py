r"""How an aligned mode moves: its strength in time, and time in its strength.

A mode of a target's singular value $s$ passes through one number a layer, and

$$\dot a_j = (s - u) \prod_{k \ne j} a_k, \qquad u = \prod_k a_k.$$

For one and two layers the solution is written out; a deeper mode runs its course.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from thalweg._core.arrays import EPS, real
from thalweg._core.errors import DomainError, whole
from thalweg.motion._course import FOREVER, Course

_Array = np.ndarray


def mode_time(strength: Any, start: Any, target: Any, depth: int | None = None) -> Any:
    r"""Return the flow time at which an aligned mode has a given strength.

    For equal layers $\dot u = N u^{2 - 2/N} (s - u)$. One layer:
    $t = \ln\frac{s - u_0}{s - u}$; two: $t = \frac1{2s} \ln\frac{u (s - u_0)}
    {u_0 (s - u)}$; with $c = |a^2 - b^2|$ and $\kappa = \sqrt{c^2 + 4s^2}$, two
    unequal layers: $t = \frac1\kappa \bigl[\ln\frac{c^2 + 4su + \kappa \sqrt{c^2 +
    4u^2}}{s - u}\bigr]_{u_0}^u$.

    Args:
        strength: The strength $u$ of the product to reach; an array broadcasts.
        start: With `depth`, the product's strength at the start, spread equally over
            the layers; without, the strengths of the layers along the last axis.
        target: The target's singular value $s$; may be zero or negative.
        depth: Number of layers, `>= 1`.

    Returns:
        Flow times: 0 at the start, infinity at the limit, NaN where the mode never
        has that strength after the start.

    Example:
        >>> round(float(mode_time(1.0, 0.01, 2.0, depth=2)), 12)
        1.323326206181
        >>> np.round(mode_time([0.1, 1.9, 2.0], 0.1, 2.0, depth=3), 9).tolist()
        [0.0, 1.138104737, inf]

    Source:
        Saxe, McClelland, Ganguli, Section 1.2 and equation (15); in appendix A, two
        unequal layers take 2s for s.
    """
    return _each(strength, start, target, depth, lambda mode, u: mode.time(u))


def mode_strength(time: Any, start: Any, target: Any, depth: int | None = None) -> Any:
    r"""Return the strength of an aligned mode at a flow time.

    Two equal layers: $u = s e^{2st} / (e^{2st} - 1 + s/u_0)$.

    Args:
        time: Flow times, `>= 0`; infinity gives the limit; an array broadcasts.
        start: As in `mode_time`.
        target: As in `mode_time`.
        depth: As in `mode_time`.

    Returns:
        The strengths of the product.

    Raises:
        DomainError: If a time is negative or NaN.

    Example:
        >>> np.round(mode_strength([1.0, 2.0, np.inf], 0.01, 2.0, depth=2), 9).tolist()
        [0.430587921, 1.874841114, 2.0]
        >>> round(float(mode_strength(1.0, [1.2, 0.1], 1.5)), 9)
        1.365690962

    Source:
        Saxe, McClelland, Ganguli, Section 1.2; in appendix A, two unequal layers
        take 2s for s.
    """
    times = np.asarray(time, dtype=np.float64)
    if not np.all(times >= 0):
        raise DomainError(f"time is {time}; every flow time must be a number >= 0.")
    return _each(times, start, target, depth, lambda mode, t: mode.strength(t))


def learning_time(
    start: Any, target: Any, depth: int | None = None, fraction: float = 0.5
) -> Any:
    """Return the flow time after which a mode has a fraction of its target.

    Args:
        start: As in `mode_time`.
        target: As in `mode_time`.
        depth: As in `mode_time`.
        fraction: Of the target, above 0 and below 1.

    Returns:
        Flow times; NaN for modes that never get there.

    Raises:
        DomainError: If the fraction is out of its domain.

    Example:
        >>> np.round(learning_time(1e-4, 1.0, depth=3), 2).tolist()
        20.69
    """
    if not 0 < fraction < 1:
        raise DomainError(f"fraction is {fraction}; it must be above 0 and below 1.")
    goal = fraction * np.asarray(target, dtype=np.float64)
    return mode_time(goal, start, target, depth)


def escape_time(start: Any, target: Any, depth: int) -> Any:
    r"""Return what `learning_time` tends to for small equal starts.

    Two layers: $\frac1{2s} \ln\frac s{u_0}$, deeper
    $\frac{u_0^{-(1 - 2/N)}}{(N - 2) s}$: a logarithm of the start for two layers, a
    power of it for more.

    Args:
        start: The product's strength at the start, `> 0`; an array broadcasts.
        target: The target's singular value, `> 0`.
        depth: Number of layers, `>= 2`.

    Returns:
        Flow times, whatever the fraction: the rest is a bounded time.

    Raises:
        DomainError: If a number is out of its domain.

    Example:
        >>> [round(float(escape_time(1e-4, 1.0, depth)), 2) for depth in (2, 3, 4)]
        [4.61, 21.54, 50.0]

    Source:
        Saxe, McClelland, Ganguli, equation (15).
    """
    depth = whole("depth", depth, least=2)
    small, goal = np.asarray(real("start", start)), np.asarray(real("target", target))
    if not (np.all(small > 0) and np.all(goal > 0)):
        raise DomainError("start and target must be positive; others escape nothing.")
    if depth == 2:
        return np.log(goal / small) / (2 * goal)
    return small ** (2 / depth - 1) / ((depth - 2) * goal)


def move_modes(layers: _Array, targets: _Array, times: _Array, noise: _Array) -> _Array:
    """Return the strength of every layer of every mode at every time.

    Args:
        layers: Strengths at the start, `"layer mode"`, of any sign.
        targets: Singular values of the target, `"mode"`.
        times: Flow times, `>= 0`, infinity among them.
        noise: Rounding of the strengths, `"layer"`; strengths nearer to each other
            count as equal.

    Returns:
        The strengths, `"time layer mode"`.
    """
    clock = np.minimum(times, FOREVER)
    if len(layers) == 1:
        gap = np.exp(-clock)[:, None] * (layers[0] - targets)
        return (targets + gap)[:, None, :]
    if len(layers) == 2:
        return _move_pairs(layers, targets, clock, noise)
    moved = np.empty((clock.size, *layers.shape))
    for index, (strengths, goal) in enumerate(zip(layers.T, targets, strict=True)):
        moved[:, :, index] = Course(strengths, float(goal), noise).layers(clock)
    return moved


def _each(
    values: Any,
    start: Any,
    target: Any,
    depth: int | None,
    read: Callable[[Course, _Array], _Array],
) -> Any:
    """Read values mode by mode, each mode prepared once."""
    layers, goals = np.asarray(real("start", start)), np.asarray(real("target", target))
    if depth is not None:
        layers = _spread(layers, whole("depth", depth, least=1))
    if layers.ndim == 0 or layers.shape[-1] == 0:
        raise DomainError(
            f"start is {start} without a depth; pass depth, or the strength of each "
            "layer."
        )
    values = np.asarray(values, dtype=np.float64)
    modes = np.broadcast_shapes(layers.shape[:-1], goals.shape)
    shape = np.broadcast_shapes(values.shape, modes)
    which = np.broadcast_to(np.arange(np.prod(modes, dtype=int)).reshape(modes), shape)
    goals = np.broadcast_to(goals, modes).ravel()
    layers = np.broadcast_to(layers, (*modes, layers.shape[-1]))
    layers = layers.reshape(-1, layers.shape[-1])
    values, found = np.broadcast_to(values, shape), np.empty(shape)
    for index, (strengths, goal) in enumerate(zip(layers, goals, strict=True)):
        mode = Course(strengths, float(goal), 4 * EPS * np.abs(strengths))
        found[which == index] = read(mode, values[which == index])
    return found[()]


def _spread(products: _Array, depth: int) -> _Array:
    """Spread products equally over layers; the first layer bears the sign."""
    sizes = np.abs(products) ** (1 / depth)
    return np.stack([np.copysign(sizes, products), *[sizes] * (depth - 1)], axis=-1)


def _move_pairs(
    layers: _Array, targets: _Array, clock: _Array, noise: _Array
) -> _Array:
    """Return both layers of two-layer modes: the Riccati solution of width one."""
    first, second = layers
    equal = np.abs(np.abs(first) - np.abs(second)) <= noise.sum()
    second = np.where(equal, np.copysign(first, second), second)
    half_gap = (second - first) * (second + first) / 2
    rate = np.hypot(targets, half_gap)
    # The growing direction of [[-gap, s], [s, gap]], free of cancellation.
    low = np.where(half_gap >= 0, targets, rate - half_gap)
    high = np.where(half_gap >= 0, rate + half_gap, targets)
    size = np.hypot(low, high)
    low = np.divide(low, size, out=np.zeros_like(size), where=size > 0)
    high = np.divide(high, size, out=np.ones_like(size), where=size > 0)
    growing, falling = low * first + high * second, high * first - low * second
    time = clock[:, None]
    with np.errstate(over="ignore", under="ignore"):
        fade = np.exp(-rate * time)
        spent = saturating(2 * rate, time)
        norm = np.hypot(
            fade * np.sqrt(1 + spent * falling**2), np.sqrt(spent) * growing
        )
        zero = np.zeros_like(norm)
        up = np.divide(np.broadcast_to(growing, norm.shape), norm, zero, where=norm > 0)
        down = fade * falling * np.divide(fade, norm, zero.copy(), where=norm > 0)
    return np.stack([low * up + high * down, high * up - low * down], axis=1)


def saturating(rate: _Array, time: _Array) -> _Array:
    """Return the integral of `exp(-rate t)` from 0 to `time`, for `rate >= 0`."""
    safe = np.where(rate > 0, rate, 1.0)
    return np.where(rate > 0, -np.expm1(-safe * time) / safe, time)
