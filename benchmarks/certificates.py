"""Rigorous certificates: how long a proof takes, along a path and checked again."""

import tempfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np

import thalweg as tw
from benchmarks.problems import balanced_start, problem
from benchmarks.timing import Table, paced
from thalweg.linalg import batch


def certificates(quick: bool) -> Table:
    """Time a theorem on a wide net, a path, a file's check and a batch."""
    rows = [*_wide(10 if quick else 100), *_along(500 if quick else 10_000)]
    rows.append(_batch(1_000 if quick else 10_000))
    return Table("Certificates", "In interval arithmetic, from the weights on.", rows)


def _wide(width: int) -> list[dict[str, object]]:
    target = np.random.default_rng(0).standard_normal((width, width)) / width**0.5
    target += 2 * np.eye(width)
    posed = problem((width,) * 4, target)
    weights = tuple(map(jnp.asarray, balanced_start((width,) * 4, 0.999 * target)))
    proof = _row(
        f"arora2019.Convergence proved at width {width}, depth 3",
        lambda: tw.certify("arora2019.Convergence", posed, weights),
        "< 1 s",
    )
    certificate = tw.certify("arora2019.Convergence", posed, weights)
    if certificate.verdict != "proved":
        raise SystemExit("\n".join(certificate.lines()))
    with tempfile.TemporaryDirectory() as folder:
        file = certificate.save(Path(folder) / "certificate.json")
        if not tw.verify(file).ok:
            raise SystemExit(tw.verify(file).failure)
        check = _row("its file checked again", lambda: tw.verify(file), "< 1 s")
    return [proof, check]


def _along(iterations: int) -> list[dict[str, object]]:
    """Return the times of certifying, and of shadowing, a path of 10-32-32-10."""
    widths = (10, 32, 32, 10)
    target = np.eye(10) + 0.2 * np.random.default_rng(0).standard_normal((10, 10))
    posed = problem(widths, target)
    weights = tuple(map(jnp.asarray, balanced_start(widths, 0.3 * target)))
    path = tw.descend(posed, weights, step_size=0.002, iterations=iterations)
    told = f"a path of {iterations:,} steps, 10-32-32-10"
    return [
        _row(f"{told}: certify_path", lambda: tw.certify_path(path), "< 2 s"),
        _row(
            f"{told}: shadow",
            lambda: tw.shadow(posed, weights, 0.002, [iterations]),
            "< 1 s",
        ),
    ]


def _batch(runs: int) -> dict[str, object]:
    stack = np.random.default_rng(0).standard_normal((runs, 10, 10))
    return _row(
        f"singular values of {runs:,} matrices 10 x 10 enclosed",
        lambda: batch.singular_values(stack),
        "< 1 s",
    )


def _row(what: str, work: object, goal: str) -> dict[str, object]:
    seconds, first, _ = paced(work, rounds=5)
    return {"what": what, "seconds": seconds, "first call": first, "goal": goal}
