r"""A linear network's data in the canonical reduction, in any arithmetic.

With $X_r$ and $Y_r$ the factors of the moments, $L = \tfrac12\|W X_r - Y_r\|_F^2$ up to
a constant. Where $X_r$ is square and invertible, $\tilde W_1 = W_1 X_r$ takes the
problem to white data with target $Y_r$: critical points, their values and the signs
of their Hessians are the same, the flow is not (the source reduces it all the same).
"""

from typing import Any

import numpy as np

from thalweg.theorems._base import Case, Hypothesis


def inputs_factor(case: Case, la: Any) -> Any:
    """Return $X_r$ of the case, in the arithmetic `la`; the identity if white."""
    if case.is_playground:
        return la.identity(1)
    return la.matrix(np.asarray(case.problem.data.inputs_factor))


def labels_factor(case: Case, la: Any) -> Any:
    """Return $Y_r$ of the case, in the arithmetic `la`; the target if white."""
    if case.is_playground:
        return la.identity(1)
    return la.matrix(np.asarray(case.problem.data.labels_factor))


def full_inputs(case: Case) -> list[Hypothesis]:
    """Return that the inputs span their space, the source's assumption on X."""
    la, factor = case.la, inputs_factor(case, case.la)
    rows, columns = factor.shape
    facts = [
        Hypothesis(
            "the inputs span their space",
            fact=rows == columns,
            mend="whiten the data, which leaves the directions without samples out",
        )
    ]
    if rows != columns or case.is_whitened:
        return facts
    return [
        *facts,
        Hypothesis("sigma_min(X_r) > 0", la.smallest_singular_value(factor)),
    ]
