r"""How singular the minimum is: the learning coefficient, as an exact fraction.

The volume of the nets whose excess loss is below $\varepsilon$ shrinks like
$\varepsilon^\lambda (\log 1/\varepsilon)^{m-1}$. For a regular model $\lambda$ is half
the number of parameters; a deep linear network's is smaller, and stays bounded as
layers are added.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Any

from thalweg._core.errors import DomainError, whole
from thalweg._core.source import Source
from thalweg.problem.nets import LinearNet

AOYAGI2024 = Source(
    "aoyagi2024",
    "M. Aoyagi",
    "Consideration on the learning efficiency of multiple-layered neural networks "
    "with linear units",
    "Neural Networks 172, 106132",
    2024,
    "doi:10.1016/j.neunet.2024.106132",
    beyond=True,
)


@dataclass(frozen=True)
class LearningCoefficient:
    r"""The exponents of the volume of nearly optimal nets.

    Attributes:
        value: $\lambda$, exact.
        multiplicity: $m$, the power of the logarithm plus one.
        rank: Rank of the true end-to-end matrix.
        widths: Widths of the net.
        chosen: Which spaces decide, from 0 (the inputs) to the depth, ascending: those
            of the smallest widths.
        dimension: Number of parameters; a regular model's $\lambda$ is half of it.
    """

    value: Fraction
    multiplicity: int
    rank: int
    widths: tuple[int, ...]
    chosen: tuple[int, ...]
    dimension: int

    def __str__(self) -> str:
        """Return one line: the coefficient beside a regular model's."""
        return (
            f"learning coefficient {self.value}, multiplicity {self.multiplicity} "
            f"(a regular model of {self.dimension} parameters: "
            f"{Fraction(self.dimension, 2)}, 1)"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values; the fraction as a float and as its two numbers."""
        return {
            "value": float(self.value),
            "numerator": self.value.numerator,
            "denominator": self.value.denominator,
            "multiplicity": self.multiplicity,
            "rank": self.rank,
            "widths": list(self.widths),
            "chosen": list(self.chosen),
            "dimension": self.dimension,
        }


def learning_coefficient(net: Any, rank: int) -> LearningCoefficient:
    r"""Return the real log canonical threshold of a deep linear network, exactly.

    Let the true end-to-end matrix have rank $r$, and $\Delta_k = d_k - r$ for all
    $N + 1$ widths. With $\ell + 1$ of the smallest of them, $\ell \ge 1$ the largest
    such that $\Delta_1 + \dots + \Delta_{\ell+1} \ge \ell \Delta_{\ell+1}$ (sorted),
    $s$ their sum, $M = \lceil s / \ell \rceil$ and $a = s - (M - 1) \ell$,

    $$\lambda = \frac{r (d_0 + d_N) - r^2}{2} + \frac{a (\ell - a)}{4 \ell}
    - \frac{\ell (\ell - 1)}{4} \Bigl(\frac{s}{\ell}\Bigr)^2
    + \frac12 \sum_{i < j} \Delta_i \Delta_j, \qquad m = a (\ell - a) + 1.$$

    It holds for data of full rank, Gaussian noise, and weights that range over a
    set which contains the most singular of the nets with the true matrix; at another
    of these the local coefficient can be larger.

    The largest $\ell$ is the source's choice (the largest of the chosen below the
    smallest of the others, ties all in or all out): the sum less
    $\ell \Delta_{\ell+1}$ never grows with $\ell$, and where it is zero both sides of
    it give one value. The statement is quoted from works that restate the paper. It
    agrees, multiplicity included, with an independent calculation for two and three
    layers (an integral over singular values, a linear program; see the tests) and
    with monomials for any depth.

    Args:
        net: A `LinearNet`, or its widths, each at least 1.
        rank: Rank of the true matrix, from 0 to the smallest width.

    Returns:
        The coefficient.

    Raises:
        DomainError: If a width or the rank is out of range.

    Example:
        >>> print(learning_coefficient((2, 2, 2), 1))
        learning coefficient 2, multiplicity 2 (a regular model of 8 parameters: 4, 1)
        >>> print(learning_coefficient((1, 1, 1, 1), 0).value)
        1/2

    Source:
        Aoyagi 2024, main theorem; Aoyagi, Watanabe 2005 for two layers.
    """
    net = _net(net)
    rank = whole("rank", rank)
    if rank > net.largest_rank:
        raise DomainError(
            f"rank is {rank}, but a net of widths {net.widths} expresses ranks from 0 "
            f"to {net.largest_rank} only."
        )
    order = sorted(range(net.depth + 1), key=lambda place: net.widths[place])
    excess = [net.widths[place] - rank for place in order]
    count = _chosen(excess)
    value, multiplicity = _singular_part(excess[:count])
    ends = rank * (net.widths[0] + net.widths[-1]) - rank**2
    return LearningCoefficient(
        value=Fraction(ends, 2) + value,
        multiplicity=multiplicity,
        rank=rank,
        widths=net.widths,
        chosen=tuple(sorted(order[:count])),
        dimension=net.parameters,
    )


def _net(net: Any) -> LinearNet:
    if isinstance(net, LinearNet):
        return net
    inner = getattr(net, "net", None)
    if isinstance(inner, LinearNet):
        return inner
    if isinstance(net, Sequence) and not isinstance(net, str):
        return LinearNet(tuple(net))
    raise DomainError(
        f"net is a {type(net).__name__}; pass a LinearNet or its widths, as (4, 3, 4)."
    )


def _chosen(excess: list[int]) -> int:
    """Return how many of the smallest widths decide: at least two."""
    sums = list(accumulate(excess))
    return max(
        count
        for count in range(2, len(excess) + 1)
        if sums[count - 1] >= (count - 1) * excess[count - 1]
    )


def _singular_part(excess: list[int]) -> tuple[Fraction, int]:
    """Return coefficient and multiplicity of a zero matrix of these widths."""
    links, total = len(excess) - 1, sum(excess)
    rest = total - (-(-total // links) - 1) * links
    pairs = Fraction(total**2 - sum(width**2 for width in excess), 2)
    value = (
        Fraction(rest * (links - rest), 4 * links)
        - Fraction((links - 1) * total**2, 4 * links)
        + pairs / 2
    )
    return value, rest * (links - rest) + 1
