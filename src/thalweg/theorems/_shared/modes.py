r"""The residual along fixed modes: what is linear exactly, and a bound on the rest.

Notation: $\hat K = \sum_i \theta_i u_i u_i^\top$ is the Gram matrix at the anchor, but
for a matrix of norm at most `leak`; $D$ bounds the distance of the derivative $J_t$
from the anchor's, $S_g$ is the largest singular value in a group $g$ of modes.

Write the residual as $E_t = L_t + N_t$ with
$L_t = \sum_i (1 - \eta\theta_i)^t u_i u_i^\top E_0$. Since
$E_{t+1} = E_t - \eta J_tJ_t^*E_t + \rho_t$ with
$\|\rho_t\| \le \tfrac12H\eta^2\|J_t^*E_t\|^2$, the part of $N$ in group $g$ obeys

$$\|N_{t+1}\|_g \le \max_{i \in g}|1 - \eta\theta_i| \, \|N_t\|_g
+ \eta(D S_g e + D w + D^2 e + \mathrm{leak}\, e) + \tfrac12H\eta^2(w + De)^2$$

with $e \ge \|E_t\|$ and $w \ge \|\hat J^*E_t\|$,
$w^2 = \sum_g S_g^2(\|L_t\|_g + \|N_t\|_g)^2$.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from thalweg.linalg import balls, enclose
from thalweg.linalg.enclose import Enclosed
from thalweg.theorems._base import Ball
from thalweg.theorems._shared.gram import Iterate
from thalweg.theorems._shared.march import Level

_SPREAD = 2.0
_MOST = 8
_UP = 1 + 1e-12
Reals = Float[np.ndarray, " _"]


@dataclass(frozen=True, eq=False)
class Spectrum:
    r"""The start's residual along the modes of the anchor.

    Attributes:
        values: The $\theta_i$, ascending.
        sizes: About the residual's components.
        off: Bound on what all the components together are off by.
        groups: The modes' groups, as the first index of each.
        high: Upper bounds of the $S_g$.
        leak: Bound on the norm of what the modes leave out.
    """

    values: Reals
    sizes: Reals
    off: float
    groups: np.ndarray
    high: Reals
    leak: float

    def beside(
        self, levels: tuple[Level, ...], bend: float, step: float
    ) -> "Modes | None":
        """Return the second bound that runs beside a march's staircase."""
        apart = np.array([_upper(level.apart) for level in levels]) * bend
        # A bound on the residual leaves open that it is on a lower level already.
        turn = np.maximum.accumulate(apart[::-1])[::-1]
        decay = np.abs(1 - step * self.values) + 4e-16
        if not (decay.max() < 1 and np.isfinite(turn).all()):
            return None
        return Modes(self, turn, decay, bend, step)


@dataclass(frozen=True, eq=False)
class State:
    """How far the modes have come.

    Attributes:
        time: Steps so far.
        rest: Bounds on the groups of $N$.
    """

    time: float
    rest: Reals


@dataclass(frozen=True, eq=False)
class Modes:
    """A bound on the residual from its modes.

    Attributes:
        spectrum: The modes.
        turns: For every stair the distance $D$ there and below.
        decay: Upper bounds of the modes' factors, below one.
        bend: The curvature $H$.
        step: The step.
    """

    spectrum: Spectrum
    turns: Reals
    decay: Reals
    bend: float
    step: float

    def began(self) -> State:
        """Return the state at the start."""
        return State(0.0, np.full(self.spectrum.high.size, self.spectrum.off))

    def stepped(
        self, state: State, stair: int, bound: float, target: float, most: float
    ) -> tuple[float, float, State]:
        """Take steps, at most `most`, until the residual is surely at a target.

        Args:
            state: Before them.
            stair: Which stair.
            bound: Of the residual, before them.
            target: The residual to reach.
            most: The steps after which it is reached otherwise.

        Returns:
            The steps, the bound after them and the state.
        """
        entered = self._entered(state, stair, bound, most)
        fewest, low, high = most, 0.0, most
        if self._bound(state, entered, most)[0] <= target:
            while high - low > 1:
                middle = np.floor(0.5 * (low + high))
                reached = self._bound(state, entered, middle)[0] <= target
                low, high = (low, middle) if reached else (middle, high)
            fewest = high
        found, rest = self._bound(state, entered, fewest)
        time = state.time + fewest
        # What is left out is the residual less the modes, neither of them larger.
        rest = np.minimum(rest, (bound + self._linear(time)) * _UP)
        return fewest, found, State(time, rest)

    def _bound(self, state: State, entered: Reals, steps: float) -> tuple[float, Reals]:
        """Return bounds on the residual and on the groups of $N$ after some steps."""
        slow = np.maximum.reduceat(self.decay, self.spectrum.groups)
        exponent = steps * np.log(slow)
        terms = np.expm1(exponent) / (slow - 1)
        rest = (np.exp(exponent) * state.rest + terms * entered) * _UP
        sizes = self._linear(state.time + steps) + rest
        return float(np.sqrt(sizes @ sizes)) * _UP, rest

    def _linear(self, time: float) -> Reals:
        """Return upper bounds of the groups of $L$."""
        with np.errstate(under="ignore"):
            now = self.spectrum.sizes * np.exp(time * np.log(self.decay))
            squares = np.add.reduceat(now * now, self.spectrum.groups)
        return np.sqrt(squares) * _UP + 1e-150

    def _entered(self, state: State, stair: int, bound: float, steps: float) -> Reals:
        """Return bounds on what enters the groups of $N$ in each of some steps."""
        high, turn = self.spectrum.high, self.turns[stair]
        linear = self._linear(state.time)
        pulled = float(high.max()) * bound
        wide = float(np.sqrt(np.sum((high * (linear + state.rest)) ** 2))) * 1.02
        for _ in range(6):
            pull = min(wide, pulled) * _UP
            entered = self._entering(turn, bound, pull)
            rest = np.maximum(state.rest, self._bound(state, entered, steps)[1])
            needed = float(np.sqrt(np.sum((high * (linear + rest)) ** 2)))
            if needed <= wide or wide >= pulled:
                return entered
            wide = 1.1 * needed
        return self._entering(turn, bound, pulled * _UP)

    def _entering(self, turn: float, bound: float, pull: float) -> Reals:
        mixed = turn * (self.spectrum.high * bound + pull + turn * bound)
        bent = 0.5 * self.bend * self.step * (pull + turn * bound) ** 2
        leaked = self.spectrum.leak * bound
        return np.asarray(self.step * (mixed + bent + leaked) * _UP)


def spectrum_of(iterate: Iterate, ahead: Iterate) -> Spectrum | None:
    """Return the residual of an iterate along the modes of its anchor.

    Args:
        iterate: Whose residual it is.
        ahead: The anchor.

    Returns:
        The modes; `None` where a bound is lost.
    """
    gram = ahead.gram
    if not gram.is_bounded:
        return None
    values, vectors = np.linalg.eigh(0.5 * (gram.midpoint + gram.midpoint.T))
    basis = enclose.matrix(vectors)
    skew = _upper(enclose.norm(basis.T @ basis - enclose.identity(values.size)))
    off = basis.T @ (gram @ basis) - enclose.matrix(np.diag(values))
    # The nearest orthonormal basis is within `skew` of this one.
    turned = 3 * skew * (1 + skew) * (float(np.abs(values).max()) + 1e-300)
    leak = (_upper(enclose.norm(off)) + turned) * _UP
    error = iterate.residual
    flat = Enclosed(error.midpoint.ravel(order="F")[:, None], error.radius)
    components = basis.T @ flat
    whole = _upper(iterate.error)
    lost = (components.radius + skew * whole) * _UP
    if not (np.isfinite([leak, lost]).all() and skew < 0.5):
        return None
    groups = _groups(values)
    tops = np.append(groups[1:], values.size) - 1
    return Spectrum(
        values=values,
        sizes=np.abs(components.midpoint[:, 0]),
        off=lost,
        groups=groups,
        high=np.sqrt(np.maximum(values[tops] + leak, 0.0)) * _UP,
        leak=leak,
    )


def _groups(values: Reals) -> np.ndarray:
    """Return the starts of runs of ascending values that differ by some factor."""
    least = max(float(values[0]), 1e-300)
    spread = max(_SPREAD, (max(float(values[-1]), least) / least) ** (1 / _MOST))
    starts = [0]
    for i, value in enumerate(values.tolist()):
        if value > spread * max(float(values[starts[-1]]), 1e-300):
            starts.append(i)
    return np.array(starts)


def _upper(ball: Ball) -> float:
    return balls.bounds(balls.scalar(ball))[1]
