"""Batches of proven singular values, against balls of 53 and more bits."""

import time

import numpy as np
import pytest

from thalweg._core.errors import DataError, ShapeError
from thalweg.linalg import balls, batch

SHAPES = [(1, 1), (2, 2), (5, 3), (3, 7), (10, 10)]


def awkward(shape, seed):
    """Random, rank deficient, repeated, tiny, large and zero matrices."""
    draw = np.random.default_rng(seed).standard_normal
    rows, columns = shape
    repeated = np.eye(rows, columns) * 3.0
    deficient = np.outer(draw(rows), draw(columns))
    graded = draw(shape) * 10.0 ** -np.arange(columns)
    return np.stack(
        [
            draw(shape),
            repeated,
            deficient,
            graded,
            1e-90 * draw(shape),
            1e40 * draw(shape),
            np.zeros(shape),
            5e-324 * np.ones(shape),
        ]
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_the_ends_hold_the_true_singular_values(shape):
    stack = np.concatenate([awkward(shape, seed) for seed in range(4)])
    found = batch.singular_values(stack)
    with balls.working_precision(128):
        for matrix, low, high in zip(stack, found.low, found.high, strict=True):
            for ball, lo, hi in zip(
                balls.singular_values(balls.matrix(matrix)), low, high, strict=True
            ):
                assert lo <= ball.upper()
                assert ball.lower() <= hi


@pytest.mark.parametrize("shape", SHAPES)
def test_the_norms_hold_the_true_ones(shape):
    stack = awkward(shape, 9)
    found = batch.norms(stack)
    with balls.working_precision(128):
        for matrix, lo, hi in zip(stack, found.low, found.high, strict=True):
            norm = balls.norm(balls.matrix(matrix))
            assert lo <= norm.upper()
            assert norm.lower() <= hi


def test_the_ends_are_close_where_the_matrix_is_plain():
    stack = np.random.default_rng(1).standard_normal((50, 10, 10))
    found = batch.singular_values(stack)
    # Bounds of order inner^2 u |A|_F: 100 x 1.1e-16 x 10.
    assert np.max(found.high - found.low) < 2e-11


def test_what_overflows_has_no_bound():
    found = batch.singular_values(np.full((1, 2, 2), 1e200))
    assert np.all(found.high == np.inf)
    assert np.all(found.low == 0)


def test_ten_thousand_small_matrices_take_less_than_a_second():
    stack = np.random.default_rng(2).standard_normal((10_000, 10, 10))
    began = time.process_time()
    batch.singular_values(stack)
    assert time.process_time() - began < 4  # 0.25 s of one quiet core


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_not_a_number_is_refused(number):
    with pytest.raises(DataError, match="NaN"):
        batch.singular_values(np.full((1, 2, 2), number))


def test_a_single_matrix_is_refused():
    with pytest.raises(ShapeError, match="three axes"):
        batch.singular_values(np.eye(2))
