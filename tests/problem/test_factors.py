"""Moments from second moments that are already known."""

import numpy as np
import pytest

from thalweg._core.errors import DataError, ShapeError
from thalweg.problem.moments import Moments


def samples():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((40, 6)) * 10.0 ** rng.integers(-3, 4, 6)
    labels = inputs @ rng.standard_normal((6, 3)) + rng.standard_normal((40, 3))
    return inputs, labels


def reduced_loss(moments, weights):
    gap = weights @ np.asarray(moments.inputs_factor) - np.asarray(
        moments.labels_factor
    )
    return np.sum(gap**2) / 2 + float(moments.constant)


def test_from_moments_agrees_with_from_data():
    inputs, labels = samples()
    data = Moments.from_data(inputs, labels, center=True)
    given_ = Moments.from_moments(data.xx, data.yx, data.yy)
    assert given_.rank == data.rank
    np.testing.assert_allclose(given_.target, data.target, rtol=1e-7)
    np.testing.assert_allclose(given_.constant, data.constant, rtol=1e-6)
    weights = np.random.default_rng(0).standard_normal((3, 6))
    np.testing.assert_allclose(
        reduced_loss(given_, weights), reduced_loss(data, weights), rtol=1e-9
    )


def test_from_moments_cuts_the_rank():
    inputs, labels = samples()
    inputs = np.hstack([inputs, inputs[:, :1] + inputs[:, 1:2], np.zeros((40, 1))])
    moments = Moments.from_moments(inputs.T @ inputs, labels.T @ inputs)
    assert moments.rank == 6
    assert moments.preparation.constant == (7,)
    assert "not known" in moments.preparation.lines()[-1]


def test_from_moments_of_the_identity_is_whitened():
    target = np.arange(6.0).reshape(2, 3)
    moments = Moments.from_moments(np.eye(3), target)
    assert moments.is_whitened
    np.testing.assert_array_equal(moments.target, target)


@pytest.mark.parametrize(
    ("xx", "yx", "yy", "error", "message"),
    [
        (np.ones((2, 3)), np.ones((1, 3)), None, ShapeError, "must be square"),
        (np.eye(2), np.ones((1, 3)), None, ShapeError, "must be square"),
        ([[1.0, 0], [1, 1]], np.ones((1, 2)), None, DataError, "not symmetric"),
        (np.diag([1.0, -1]), np.ones((1, 2)), None, DataError, "negative"),
        ([[1.0, 2], [2, 1]], np.ones((1, 2)), None, DataError, "eigenvalue"),
        (np.zeros((2, 2)), np.ones((1, 2)), None, DataError, "xx is zero"),
        (np.diag([1.0, 0]), np.ones((1, 2)), None, DataError, "where xx has none"),
        (np.eye(2), np.ones((1, 2)), [[1.0]], DataError, "explain more than all"),
        (np.eye(2), np.ones((1, 2)), np.eye(2), ShapeError, r"\(1, 1\)"),
    ],
)
def test_impossible_second_moments_are_refused(xx, yx, yy, error, message):
    with pytest.raises(error, match=message):
        Moments.from_moments(xx, yx, yy)
