r"""The scalar equations of an aligned mode, solved in balls.

Notation: $N$ layers of one strength make the product $u$; with target $s$ it obeys
$\dot u = N |u|^p (s - u)$, $p = 2 - 2/N$. By symmetry $u > 0$ while $s$ has any sign.
Time is an elementary function of $u$ for $N \le 2$, and for $N \ge 3$, with
$\alpha = 1 - p$ and $F_\alpha(x) = \frac{x^\alpha}{\alpha} {}_2F_1(1, \alpha;
\alpha + 1; x)$, the antiderivative of $x^{\alpha - 1}/(1 - x)$,

$$N |s|^p t = F_\alpha(u/s) - F_\alpha(u_0/s), \quad
F_p(s/u) - F_p(s/u_0), \quad
\pm [F_\alpha](-u/|s|)$$

for $u_0 < s$, for $u_0 > s > 0$ (substitute $w = s/u$), and for $s < 0$.
Two layers of any strengths are a Riccati equation, whose solution needs no cases.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from thalweg.linalg import balls
from thalweg.linalg.balls import Ball

_Array = np.ndarray

BITS = 256
"""Of the pairs: they lose bits where two exponentials nearly cancel."""

FINE = 128
"""Of the deeper modes."""


@dataclass(frozen=True)
class Mode:
    """One aligned mode.

    Attributes:
        layers: Its strength in every layer, exactly.
        target: Its target.
    """

    layers: tuple[float, ...]
    target: float

    @property
    def depth(self) -> int:
        """Return the number of layers."""
        return len(self.layers)

    @property
    def facing(self) -> float:
        """Return the target as seen from a start of positive strength."""
        return self.target if np.prod(np.sign(self.layers)) >= 0 else -self.target

    @property
    def size(self) -> Ball:
        """Return the absolute value of the product of the layers."""
        return balls.absolute(balls.prod(self.layers))

    @property
    def gap(self) -> Ball:
        """Return the difference of the squares of the last and the first layer."""
        first, last = balls.scalar(self.layers[0]), balls.scalar(self.layers[-1])
        return last * last - first * first


def elapsed(start: Ball, end: Ball, target: Ball, depth: int) -> Ball:
    """Return the flow time in which equal layers go from one product to another.

    Args:
        start: The product at the start, `> 0`.
        end: A product on its way to the limit, the target or zero.
        target: The target, zero or of a certain sign.
        depth: Number of layers, `>= 1`.

    Returns:
        The time; without bound where a ball does not say which case holds.
    """
    start, end, target = map(balls.scalar, (start, end, target))
    if depth == 1:
        return balls.log((target - start) / (target - end))
    if target == 0:
        later, sooner = (balls.power(x, 2 - 2 * depth, depth) for x in (end, start))
        return (later - sooner) / (2 * depth - 2)
    if depth == 2:
        turned = end * (target - start) / (start * (target - end))
        return balls.log(turned) / (2 * target)
    size = balls.absolute(target)
    scale = depth * balls.power(size, 2 * depth - 2, depth)
    shallow, steep = Fraction(2, depth) - 1, 2 - Fraction(2, depth)
    if target < 0:
        later, sooner = (_integral(shallow, x / size, -1) for x in (start, end))
    elif start < target:
        later, sooner = (_integral(shallow, x / size, 1) for x in (end, start))
    else:
        later, sooner = (_integral(steep, size / x, 1) for x in (end, start))
    return (later - sooner) / scale


def strength(mode: Mode, times: _Array) -> _Array:
    """Return the product of the layers at flow times.

    Args:
        mode: The mode; of equal layers, but for the signs, or of two layers.
        times: Finite flow times, `>= 0`.

    Returns:
        The strengths, good to a few units of rounding.
    """
    if mode.depth == 2:
        return _pair(mode, times)
    if mode.depth == 1:
        (start,) = mode.layers
        return start * np.exp(-times) - mode.target * np.expm1(-times)
    with balls.working_precision(FINE):
        if mode.size == 0:
            return np.zeros(times.shape)
        return np.prod(np.sign(mode.layers)) * _deep(mode, times)


def _pair(mode: Mode, times: _Array) -> _Array:
    r"""Return the product of two layers, whatever their strengths.

    $q = (b, a)$ obeys $\dot q = (F - \tfrac12 q q^\top) q$ with
    $F = \begin{bmatrix} -\lambda/2 & s \\ s & \lambda/2 \end{bmatrix}$, so in the unit
    eigenvectors $e_\pm$ of $F$, with $q_0 = g e_+ + h e_-$ and eigenvalues $\pm k$, it
    is $g e^{kt} e_+ + h e^{-kt} e_-$ over the root of $1 + g^2 (e^{2kt} - 1)/2k + h^2
    (1 - e^{-2kt})/2k$.
    """
    with balls.working_precision(BITS):
        first, last = map(balls.scalar, mode.layers)
        half, target = mode.gap / 2, balls.scalar(mode.target)
        rate = balls.sqrt(half * half + target * target)
        if rate == 0:
            norm = first * first + last * last
            values = [first * last / (1 + norm * t) for t in times.tolist()]
            return np.array([float(x.mid()) for x in values])
        low, high = target, rate + half
        if half < 0:
            low, high = rate - half, target
        # Before they are scaled, so that opposite layers have exactly no growing part.
        up, down = low * first + high * last, high * first - low * last
        size = balls.sqrt(low * low + high * high)
        low, high, up, down = (x / size for x in (low, high, up, down))
        values = []
        for time in times.tolist():
            fade = (-2 * rate * time).exp()
            norm = fade + (fade * down * down + up * up) * (1 - fade) / (2 * rate)
            if up == 0:
                norm, fade = norm / fade, balls.sqrt(fade)
            into, out = up * low + fade * down * high, up * high - fade * down * low
            values.append(float((into * out / norm).mid()))
        return np.array(values)


def _deep(mode: Mode, times: _Array) -> _Array:
    """Return the size of a mode of three layers or more, by safeguarded Newton."""
    start, target, depth = mode.size, mode.facing, mode.depth
    found, low = np.empty(times.shape), float(start.mid())
    for index in np.argsort(times, kind="stable"):
        low = found[index] = _inverted(start, low, float(times[index]), target, depth)
    return found


def _inverted(
    start: Ball, guess: float, time: float, target: float, depth: int
) -> float:
    limit = max(target, 0.0)
    if time == 0 or guess == limit:
        return guess
    behind, ahead = guess, limit
    value = behind
    for _ in range(200):
        speed = depth * value ** (2 - 2 / depth) * (target - value)
        missing = balls.scalar(time) - elapsed(start, value, target, depth)
        missing = float(missing.mid())
        if missing >= 0:
            behind = value
        else:
            ahead = value
        moved = value + missing * speed
        if abs(moved - value) <= 1e-16 * abs(value):
            return moved
        inside = min(behind, ahead) < moved < max(behind, ahead)
        value = moved if inside else _between(behind, ahead)
        if value in (behind, ahead):
            return value
    return value


def _between(one: float, other: float) -> float:
    low, high = sorted((one, other))
    if low == 0:
        return high / 16
    return float(np.sqrt(low) * np.sqrt(high)) if high > 4 * low else (low + high) / 2


def _integral(exponent: Fraction, x: Ball, sign: int) -> Ball:
    """Return the antiderivative of `x ** (exponent - 1) / (1 - sign x)`."""
    order = balls.scalar(exponent)
    one = balls.scalar(1)
    # The flags say which differences of parameters are whole where thirds are not.
    series = (sign * x).hypgeom_2f1(one, order, order + 1, bc=True, abc=True)
    return balls.power(x, exponent.numerator, exponent.denominator) / order * series
