"""Theorems at their own constants, against the printed counts."""

import jax.numpy as jnp
import pytest

import thalweg as tw


@pytest.mark.parametrize(
    ("start", "promised", "observed"),
    # MATH A.5: certified and actual counts of the lecture's theorem.
    [
        ([0.5] * 2, 596, 21),
        ([0.5] * 4, 9973, 38),
        ([0.5] * 8, 2578417, 279),
        ([0.5] * 10, 41273233, 987),
        ([0.4, 0.8, 1.2], 20023, 169),
    ],
)
def test_the_lecture_at_its_own_step(start, promised, observed):
    names = ["flammarion2025.Convergence"]
    (row,) = tw.looseness(tw.Playground(len(start)), start, theorems=names)
    assert (row.promised, row.observed) == (promised, observed)
    assert row.ratio == pytest.approx(promised / observed)


@pytest.mark.parametrize(
    ("depth", "promised", "observed"),
    [(2, 3.4246745e7, 5.7277e6), (3, 2.3397094e8, 2.417e7)],
)
def test_arora2019_at_its_own_step(depth, promised, observed):
    # MATH B.4, printed to four digits.
    target = jnp.diag(jnp.array([2.0, 1.0]))
    problem = tw.Problem(tw.LinearNet((2,) * (depth + 1)), tw.Moments.whitened(target))
    start = tuple(jnp.diag(jnp.array([1.8, 0.9]) ** (1 / depth)) for _ in range(depth))
    (row,) = tw.looseness(problem, start, theorems=["arora2019.Convergence"])
    assert row.promised == pytest.approx(promised, rel=1e-7)
    assert row.observed == pytest.approx(observed, rel=2e-4)


def test_the_shelf_is_run_in_order_of_tightness():
    rows = tw.looseness(tw.Playground(3), [0.5, 0.6, 0.7])
    ratios = [row.ratio for row in rows if row.ratio is not None]
    assert ratios == sorted(ratios)
    assert all(ratio >= 1 for ratio in ratios)
    assert all(row.to_json()["theorem"] == row.theorem for row in rows)
