"""Arora, Cohen, Golowich and Hu 2019: descent from a margin."""

from typing import Any

from flint import arb

from ._balls import max_of, positive_part, power, square
from ._case import Case, Condition, Proof, at_most
from ._matrices import norm, singular_values
from ._reading import Refused


def arora_convergence(case: Case) -> Proof:
    """Arora et al. 2019, Theorem 1."""
    depth, size = case.depth, norm(case.labels)
    margin = singular_values(case.labels)[-1] - case.distance
    unbalanced = max_of([arb(0), *map(norm, case.gaps)])
    balance = margin**2 / (256 * depth**3 * power(size, 2 * depth - 2, depth))
    most = power(margin, 4 * depth - 2, depth) / (
        6144 * depth**3 * power(size, 6 * depth - 4, depth)
    )
    gain = case.step * power(margin, 2 * depth - 2, depth)
    conditions = {
        "the data are white": Condition(case.white),
        "N >= 2": Condition(depth >= 2),
        "deficiency margin c > 0": Condition(margin),
        "delta <= c^2 / (256 N^3 |Phi|^(2(N-1)/N))": at_most(unbalanced, balance),
        "step <= c^((4N-2)/N) / (6144 N^3 |Phi|^((6N-4)/N))": at_most(case.step, most),
    }
    return Proof(
        conditions,
        factor=1 - gain,
        count=lambda goal: (case.loss / goal).log() / gain,
        values={"margin": margin},
    )


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
    "arora2019.RandomBalancedStart": arora_random_balanced_start,
}
