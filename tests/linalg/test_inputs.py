"""What may become a matrix, and which matrices fit, in each arithmetic."""

import math
from fractions import Fraction

import exact_oracles as oracle
import numpy as np
import pytest

from thalweg._core.errors import DataError, ShapeError
from thalweg.linalg import balls, enclose, floats

RIGOROUS = pytest.mark.parametrize("la", [enclose, balls], ids=["enclose", "balls"])
ARITHMETICS = pytest.mark.parametrize(
    "la", [floats, enclose, balls], ids=["floats", "enclose", "balls"]
)


@ARITHMETICS
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_matrix_with_a_number_that_is_not_finite_is_refused(la, bad):
    with pytest.raises(DataError, match="1 entries that are NaN or infinite"):
        la.matrix([[1.0, bad]])


@ARITHMETICS
@pytest.mark.parametrize(
    "array", [[[1j]], [["1"]], [[2**53 + 1]], [[Fraction(1, 3)]], [[np.longdouble(1)]]]
)
def test_numbers_that_float64_may_not_hold_are_refused(la, array):
    with pytest.raises(DataError, match="float64"):
        la.matrix(np.array(array))


@ARITHMETICS
@pytest.mark.parametrize("array", [1.0, [1.0], [[]], [[[1.0]]]])
def test_a_matrix_has_two_axes(la, array):
    with pytest.raises(ShapeError, match="two axes"):
        la.matrix(array)


@RIGOROUS
@pytest.mark.parametrize("array", [np.float32([[0.1]]), np.int8([[3]]), [[True]]])
def test_numbers_that_float64_holds_are_taken_exactly(la, array):
    norm = la.norm(la.matrix(array))
    assert oracle.holds(norm, Fraction(float(np.asarray(array)[0, 0])))


@RIGOROUS
def test_factors_that_do_not_fit_are_refused(la):
    with pytest.raises(ShapeError, match="2 rows are needed"):
        la.identity(2) @ la.identity(3)


@RIGOROUS
def test_terms_that_do_not_fit_are_refused(la):
    with pytest.raises(ShapeError, match="must agree"):
        la.identity(2) - la.identity(3)


@RIGOROUS
@pytest.mark.parametrize("function", ["eigenvalues", "trace"])
def test_only_a_square_matrix_has_a_trace_and_eigenvalues(la, function):
    with pytest.raises(ShapeError, match="must be square"):
        getattr(la, function)(la.matrix([[1.0, 2.0]]))


@RIGOROUS
def test_a_bare_array_is_not_taken_for_a_matrix(la):
    with pytest.raises(TypeError):
        np.eye(2) @ la.identity(2)


def test_a_matrix_does_not_follow_later_changes_of_its_array():
    array = np.eye(2)
    enclosed = enclose.matrix(array)
    array[0, 0] = 7
    assert enclosed.midpoint[0, 0] == 1
