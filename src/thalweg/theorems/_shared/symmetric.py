"""Symmetric targets, whose modes layers that start at the identity learn one by one."""

import numpy as np

from thalweg.linalg import balls
from thalweg.theorems._base import Ball, Case, Hypothesis


def symmetric_target(case: Case) -> list[Hypothesis]:
    """Return that the data are white, the widths equal and the target symmetric."""
    target = np.asarray(case.problem.target)
    return [
        Hypothesis("the data are white", fact=case.is_whitened, mend="whiten the data"),
        Hypothesis("all widths are equal", fact=len({*case.widths}) == 1),
        Hypothesis("the target is symmetric", fact=np.array_equal(target, target.T)),
    ]


def identity_layers(case: Case) -> Hypothesis:
    """Return that every layer starts at the identity, exactly as stored."""
    layers = [np.asarray(layer) for layer in case.problem.chain(case.start)]
    return Hypothesis(
        "all layers are the identity",
        fact=case.radius == 0
        and all(np.array_equal(w, np.eye(w.shape[0])) for w in layers),
        mend="start all layers at the identity",
    )


def negative_eigenvalue(case: Case) -> Hypothesis:
    """Return that the target has an eigenvalue below zero."""
    lowest = case.la.eigenvalues(case.target)[0]
    return Hypothesis("the target has an eigenvalue < 0", -lowest)


def missed(case: Case) -> Ball:
    """Return half the sum of the squares of the target's negative eigenvalues."""
    lost = [balls.positive_part(-value) for value in case.la.eigenvalues(case.target)]
    return balls.total(value * value for value in lost) / 2
