"""Rigorous certificates: how long a proof takes."""

import jax.numpy as jnp
import numpy as np

import thalweg as tw
from benchmarks.problems import balanced_start, problem
from benchmarks.timing import Table, paced


def certificates(quick: bool) -> Table:
    """Time Theorem 1 of Arora et al. on a wide net."""
    width = 10 if quick else 100
    target = np.random.default_rng(0).standard_normal((width, width)) / width**0.5
    target += 2 * np.eye(width)
    posed = problem((width,) * 4, target)
    weights = tuple(map(jnp.asarray, balanced_start((width,) * 4, 0.999 * target)))
    seconds, first, certificate = paced(
        lambda: tw.certify("arora2019.Convergence", posed, weights), rounds=5
    )
    if certificate.verdict != "proved":
        raise SystemExit("\n".join(certificate.lines()))
    row = {
        "what": f"arora2019.Convergence proved at width {width}, depth 3",
        "seconds": seconds,
        "first call": first,
        "goal": "< 1 s",
    }
    return Table("Certificates", "In interval arithmetic, from the weights on.", [row])
