"""Scaling and norms in float64 neither overflow nor vanish."""

from fractions import Fraction

import exact_oracles as oracle
import numpy as np
import pytest
from flint import arb

from thalweg.linalg._rounding import frobenius, scaled


@pytest.mark.parametrize("exponent", [-1074, -1000, -401, 0, 401, 1000, 1023])
def test_scaling_by_a_power_of_two_loses_nothing(exponent):
    table = np.ldexp(np.array([[1.0, -0.0]]), exponent)
    quotient, power = scaled(table)
    assert Fraction(quotient[0, 0]) * Fraction(2) ** power == Fraction(2) ** exponent


@pytest.mark.parametrize("largest", [1e-320, 1e-200, 1.0, 1e200, 1.7e308])
def test_the_norm_does_not_overflow_or_vanish(largest):
    ball = frobenius(np.full((3, 3), largest))
    assert oracle.holds(ball, 3 * Fraction(largest))
    assert ball.rad() < 1e-13 * arb(largest)
