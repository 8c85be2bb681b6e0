"""Rigorous certificates: how long a proof takes."""

import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from benchmarks.timing import Row


def width_100(rounds: int = 5) -> list[Row]:
    """Time Theorem 1 of Arora et al. at width 100, depth 3, against a plain SVD."""
    target = jnp.asarray(np.random.default_rng(0).standard_normal((100, 100)) / 10)
    target = target + 2 * jnp.eye(100)
    problem = tw.Problem(tw.LinearNet((100,) * 4), tw.Moments.whitened(target))
    init = tw.init("balanced", end_to_end=0.999 * target)
    weights = init.draw(jax.random.key(0), problem.net)
    taken = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        certificate = tw.certify("arora2019.Convergence", problem, weights)
        taken.append(time.perf_counter() - begun)
    if certificate.verdict != "proved":
        raise SystemExit("\n".join(certificate.lines()))
    return [
        Row(
            "arora2019.Convergence proved at width 100, depth 3",
            "thalweg",
            statistics.median(taken[1:]),
            taken[0],
            None,
            "< 1 s",
        )
    ]
