"""Arora, Cohen, Golowich and Hu 2019: descent from a margin."""

from typing import Any

from flint import arb

from ._balls import max_of, positive_part, power, square
from ._case import Case, Condition, Proof, at_most
from ._matrices import norm, singular_values
from ._reading import Refused

STEP = "step <= c^((4N-2)/N) / (6144 N^3 |Phi|^((6N-4)/N))"


def arora_convergence(case: Case) -> Proof:
    """Arora et al. 2019, Theorem 1."""
    depth, size = case.depth, norm(case.labels)
    margin, conditions = _near_target(case)
    balance = margin**2 / (256 * depth**3 * power(size, 2 * depth - 2, depth))
    conditions |= {
        "delta <= c^2 / (256 N^3 |Phi|^(2(N-1)/N))": at_most(_delta(case), balance),
        STEP: at_most(case.step, most_step(case, margin)),
    }
    gain = case.step * slowest(case, margin)
    return Proof(
        conditions,
        factor=1 - gain,
        count=lambda goal: (case.loss / goal).log() / gain,
        values={"margin": margin},
    )


def arora_flow_convergence(case: Case) -> Proof:
    """Arora et al. 2019, Section 3: the flow from an exactly balanced start."""
    margin, conditions = _near_target(case)
    conditions["delta = 0"] = at_most(_delta(case), arb(0))
    rate = 2 * slowest(case, margin)
    # A square net has as many such terms as layers, all others one.
    terms = case.depth if case.widths[0] == case.widths[-1] else 1
    return Proof(
        conditions,
        "flow time",
        rate=rate,
        values={"margin": margin, "rate by the exact eigenvalue": terms * rate},
    )


def _near_target(case: Case) -> tuple[Any, dict[str, Condition]]:
    """Return the deficiency margin, and that there is one."""
    margin = singular_values(case.labels)[-1] - case.distance
    return margin, {
        "the data are white": Condition(case.white),
        "N >= 2": Condition(case.depth >= 2),
        "deficiency margin c > 0": Condition(margin),
    }


def _delta(case: Case) -> Any:
    """Return the largest Frobenius norm of an invariant."""
    return max_of([arb(0), *map(norm, case.gaps)])


def most_step(case: Case, margin: Any) -> Any:
    """Return the largest step of Theorem 1."""
    depth, size = case.depth, norm(case.labels)
    return power(margin, 4 * depth - 2, depth) / (
        6144 * depth**3 * power(size, 6 * depth - 4, depth)
    )


def slowest(case: Case, margin: Any) -> Any:
    """Return a bound on the smallest eigenvalue of the end-to-end dynamics."""
    return power(margin, 2 * case.depth - 2, case.depth)


def arora_random_balanced_start(case: Case) -> Proof:
    """Arora et al. 2019, Theorem 2, with the probability of its proof."""
    depth, inputs = case.depth, case.widths[0]
    std, size = case.field("std"), norm(case.labels)
    if not std > 0:
        raise Refused("fields.std: a standard deviation is above zero.")
    spread = std**2 * inputs
    most = power(spread, 4 * depth - 2, depth) / (
        10**5 * depth**3 * power(size, 10 * depth - 6, depth)
    )
    wide = 1 - 2 * (-arb(inputs) / 16).exp()
    # F(2 sqrt(2/a)) with 1/sqrt(a) = std d_0 / |Phi|.
    near = 3 - 4 * _normal_cdf(arb(8).sqrt() * std * inputs / size)
    conditions = {
        "the data are white": Condition(case.white),
        "N >= 2": Condition(depth >= 2),
        "one output": Condition(case.widths[-1] == 1),
        "2 exp(-d_0/16) < 1": Condition(wide),
        "4 F(2 sqrt(2/a)) < 3": Condition(near),
        "step <= (s^2 d_0)^(4-2/N) / (10^5 N^3 |Phi|^(10-6/N))": at_most(
            case.step, most
        ),
    }

    def count(goal: Any) -> Any:
        first = arb(4).log() * power(size / spread, 2 * depth - 2, depth)
        left = positive_part((square(size) / (8 * goal)).log())
        second = left / power(size, 2 * depth - 2, depth)
        return 4 / case.step * (first + second)

    return Proof(
        conditions,
        probability=wide * near / 2,
        count=count,
        values={"margin": spread / (2 * size)},
        fields=("std",),
    )


def _normal_cdf(x: Any) -> Any:
    return (1 + (x / arb(2).sqrt()).erf()) / 2


ARORA = {
    "arora2019.Convergence": arora_convergence,
    "arora2019.FlowConvergence": arora_flow_convergence,
    "arora2019.RandomBalancedStart": arora_random_balanced_start,
}
