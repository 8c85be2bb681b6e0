r"""The deficiency margin of a start, and what Arora et al. allow at it.

Notation: $\Phi$ is the target, $N$ the depth, $c$ the margin.
"""

from thalweg.linalg import balls
from thalweg.linalg.chain import end_to_end
from thalweg.theorems._base import Ball, Case


def margin(case: Case) -> Ball:
    r"""Return the deficiency margin of the start, enclosed.

    $\sigma_{\min}(\Phi) - \|W - \Phi\|_F$, with the singular value numbered
    `min(d_0, d_N)`.
    """
    gap = case.la.norm(end_to_end(case.weights) - case.target)
    return case.la.smallest_singular_value(case.target) - gap


def allowed_imbalance(case: Case, c: Ball) -> Ball:
    r"""Return $c^2 / (256 N^3 \|\Phi\|_F^{2(N-1)/N})$ at a margin `c >= 0`."""
    n, size = case.depth, case.la.norm(case.target)
    return c * c / (256 * n**3 * balls.power(size, 2 * (n - 1), n))


def allowed_step(case: Case, c: Ball) -> Ball:
    r"""Return $c^{(4N-2)/N} / (6144 N^3 \|\Phi\|_F^{(6N-4)/N})$ for `c >= 0`."""
    n, size = case.depth, case.la.norm(case.target)
    return balls.power(c, 4 * n - 2, n) / (
        6144 * n**3 * balls.power(size, 6 * n - 4, n)
    )


def gain(case: Case, c: Ball) -> Ball:
    r"""Return $c^{2(N-1)/N}$: what the step multiplies in the rate."""
    return balls.power(c, 2 * (case.depth - 1), case.depth)
