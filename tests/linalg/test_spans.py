"""Spaces against exact ranks and LAPACK's singular values."""

import numpy as np
import pytest

from thalweg.linalg.spans import Uneven, span
from tolerances import EPS, close


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def of_rank(units, vectors, rank, *, runs=1, seed=0, spread=0.0):
    """Matrices with singular values from 1 down to 10 to minus the spread."""
    left = np.linalg.qr(draw(runs, units, rank, seed=seed))[0]
    right = np.linalg.qr(draw(runs, vectors, rank, seed=seed + 1))[0]
    return left * 10.0 ** -np.linspace(0, spread, rank) @ right.mT


def outside(basis, stack):
    rest = stack - basis @ (basis.mT @ stack)
    return np.linalg.norm(rest) / np.linalg.norm(stack)


@pytest.mark.parametrize("spread", [0.0, 2.0, 6.0, 11.0])
@pytest.mark.parametrize(("units", "vectors"), [(60, 20), (20, 60), (40, 40)])
def test_a_space_has_the_rank_of_the_matrix(units, vectors, spread):
    stack = of_rank(units, vectors, 7, spread=spread)
    found = span([stack])
    assert found.dimension == 7
    close(found.basis.mT @ found.basis, np.eye(7)[None], ulps=32, scale=1.0)
    assert outside(found.basis, stack) <= 16 * EPS
    assert found.neglected <= 16 * EPS


def test_a_space_holds_the_columns_of_every_stack_whatever_their_scale():
    one, other = of_rank(50, 9, 3), 1e-9 * of_rank(50, 8, 2, seed=5)
    found = span([one, other])
    assert found.dimension == 5
    assert max(outside(found.basis, stack) for stack in (one, other)) <= 16 * EPS


def test_shared_directions_are_counted_once():
    stack = of_rank(50, 9, 3)
    assert span([stack, stack @ draw(1, 9, 4)]).dimension == 3


def test_full_rank_is_the_whole_space():
    assert span([draw(1, 5, 7)]).basis is None
    assert span([draw(1, 5, 3), draw(1, 5, 3, seed=1)]).dimension is None


def test_as_many_units_as_the_rank_give_coordinate_axes():
    stack = np.zeros((1, 6, 4))
    stack[0, [1, 4]] = draw(2, 4)
    np.testing.assert_array_equal(span([stack]).basis[0], np.eye(6)[:, [1, 4]])


def test_units_without_weights_stay_out_exactly():
    stack = of_rank(6, 8, 2)
    stack[0, [0, 3]] = 0
    basis = span([stack]).basis
    assert basis.shape[2] == 2
    assert not basis[0, [0, 3]].any()


@pytest.mark.parametrize("faint", [1e-12, 1e-100, 1e-300])
def test_a_faint_unit_is_kept_as_it_is(faint):
    stack = of_rank(6, 8, 2)
    stack[0, 3] = faint * draw(8)
    found = span([stack])
    assert found.dimension == 3
    basis = found.basis[0]
    kept = basis @ (basis.T @ stack[0])
    close(kept[3], stack[0, 3], ulps=4, scale=np.abs(stack[0, 3]).max())


@pytest.mark.parametrize("faint", [1e-12, 1e-100, 1e-300])
def test_a_faint_column_of_weights_counts_but_not_of_data(faint):
    stack = of_rank(30, 4, 2)
    stack[0, :, 1] = faint * draw(30, seed=9)
    assert span([stack]).dimension == 3
    assert span([], [stack]).dimension == (3 if faint == 1e-12 else 2)


def test_rounding_does_not_count():
    stack = of_rank(300, 40, 5)
    noise = EPS * np.abs(stack).max() * draw(1, 300, 40, seed=3)
    found = span([stack + noise])
    assert found.dimension == 5
    assert EPS < found.neglected < 64 * EPS


def test_zeros_span_the_first_axis():
    basis = span([np.zeros((2, 3, 2))]).basis
    np.testing.assert_array_equal(basis, np.tile(np.eye(3, 1), (2, 1, 1)))


def test_every_run_has_a_space_of_its_own():
    stack = of_rank(30, 8, 3, runs=20)
    found = span([stack])
    values = np.linalg.svd(np.concatenate([found.basis, stack], axis=2))[1]
    assert found.basis.shape == (20, 30, 3)
    assert values[:, 3:].max() <= 16 * EPS


def uneven():
    return np.concatenate([of_rank(30, 8, 3), of_rank(30, 8, 5, seed=4)])


def test_runs_of_different_rank_are_refused():
    with pytest.raises(Uneven):
        span([uneven()])


def test_runs_of_different_rank_are_filled_up_if_so_wished():
    found = span([uneven()], padded=True)
    assert found.dimension == 5
    close(found.basis.mT @ found.basis, np.tile(np.eye(5), (2, 1, 1)), ulps=32, scale=1)
    assert outside(found.basis, uneven()) <= 16 * EPS


def test_the_work_is_told_before_it_is_done():
    told = []
    span([draw(1, 50, 6)], spend=told.append)
    assert 0 < sum(told) < 100 * 50 * 6 * 6


def test_a_stack_beyond_the_chunk_is_spanned_in_parts():
    stack = of_rank(64, 64, 2, runs=130)
    found = span([stack])
    assert found.basis.shape == (130, 64, 2)
    assert outside(found.basis, stack) <= 16 * EPS
