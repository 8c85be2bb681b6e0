"""The starts at which the certificates of our own are shown."""

import jax.numpy as jnp

from thalweg._core.arrays import Weights
from thalweg.linalg.chain import balanced_factors
from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem

Posed = tuple[Problem, Weights]


def near_identity() -> Posed:
    """Return the target diag(1.1, 0.9) and two identity layers."""
    target = jnp.diag(jnp.array([1.1, 0.9]))
    return Problem(LinearNet((2, 2, 2)), Moments.whitened(target)), (jnp.eye(2),) * 2


def near_balanced(share: float, depth: int = 3) -> Posed:
    """Return the target diag(2, 1) and a balanced start at a share of it."""
    target, widths = jnp.diag(jnp.array([2.0, 1.0])), (2,) * (depth + 1)
    problem = Problem(LinearNet(widths), Moments.whitened(target))
    return problem, balanced_factors(share * target, widths)


def bottleneck() -> Posed:
    """Return a target of rank two and a hidden layer of width one."""
    problem = Problem(LinearNet((2, 1, 2)), Moments.whitened(jnp.eye(2)))
    return problem, (jnp.ones((1, 2)), jnp.ones((2, 1)))
