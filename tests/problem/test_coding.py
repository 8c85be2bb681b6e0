"""Classes as numbers."""

import numpy as np
import pytest

from thalweg._core.errors import DataError, DomainError, UnknownName
from thalweg.problem.coding import code, contrasts

EPS = np.finfo(np.float64).eps


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_contrasts_are_orthonormal_and_sum_to_zero(classes):
    rows = contrasts(classes)
    assert rows.shape == (classes - 1, classes)
    np.testing.assert_allclose(rows @ rows.T, np.eye(classes - 1), atol=8 * EPS)
    np.testing.assert_allclose(rows.sum(axis=1), 0.0, atol=8 * EPS)


def test_contrasts_need_two_classes():
    with pytest.raises(DomainError, match="at least two"):
        contrasts(1)


def test_codings_agree():
    numbers, names = np.array([2, 0, 1]), ("a", "b", "c")
    hot, hot_names = code(numbers, names, "one-hot")
    contrast, contrast_names = code(numbers, names, "contrasts")
    np.testing.assert_array_equal(hot @ contrasts(3).T, contrast)
    np.testing.assert_array_equal(code(numbers, names, "number")[0][:, 0], numbers)
    assert hot_names == names
    assert contrast_names == ("contrast 1", "contrast 2")


@pytest.mark.parametrize(
    ("numbers", "coding", "error", "message"),
    [
        ([0, 1], "onehot", UnknownName, "mean 'one-hot'"),
        ([0, 3], "one-hot", DataError, "between 0 and 2"),
        ([-1, 0], "number", DataError, "between 0 and 2"),
    ],
)
def test_bad_codings_are_refused(numbers, coding, error, message):
    with pytest.raises(error, match=message):
        code(np.array(numbers), ("a", "b", "c"), coding)
