"""Strata: every family once, signs counted by a Hessian written out."""

from itertools import islice

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from landscape.random_problems import diagonal, random_problem
from thalweg._core.errors import DomainError
from thalweg.landscape.critical import critical_points
from thalweg.landscape.strata import strata
from thalweg.problem.scalar import Playground


def told(entry):
    return entry.modes, entry.inner_rank, entry.is_tightened


def test_strata_of_the_two_by_two_net():
    problem = diagonal([2.0, 1.0], (2, 2, 2, 2))
    found = list(strata(problem))
    assert [s.value for s in found] == sorted(s.value for s in found)
    signs = {told(s): (s.dimension, s.negative, s.zero) for s in found}
    assert signs[(1, 2), 2, True] == (8, 0, 8)
    assert signs[(1,), 1, True] == (6, 0, 9)
    assert signs[(), 0, True] == (0, 0, 12)
    assert signs[(), 2, False] == (4, 4, 4)
    assert len(found) == 11
    assert [s.excess_loss for s in found] == [s.value for s in found]


@pytest.mark.parametrize("seed", range(8))
def test_signs_and_kinds_agree_with_a_differentiated_hessian(seed):
    problem = random_problem(np.random.default_rng([seed, 3]), 1 + seed % 3, most=24)
    points = {
        told(p): p for p in critical_points(problem, seed=0) if p.excess_loss >= 0
    }
    for stratum in islice(strata(problem), 12):
        assert told(stratum) in points
        assert stratum.kind == points[told(stratum)].kind
        assert stratum.dimension == points[told(stratum)].dimension
        if stratum.kind == "non-strict saddle" or not stratum.excess_loss:
            assert stratum.negative == 0
        else:
            assert stratum.negative > 0
        assert stratum.zero >= stratum.dimension


def test_the_count_of_negative_eigenvalues_is_that_of_jax():
    problem = diagonal([3.0, 2.0, 1.0], (3, 2, 2, 3))
    [point] = critical_points(problem, modes=(2,), inner_rank=2, seed=0)
    [stratum] = [s for s in strata(problem) if told(s) == ((2,), 2, False)]
    flat, restore = ravel_pytree(tuple(map(jnp.asarray, point.weights)))
    hessian = jax.hessian(lambda x: problem.loss(restore(x)))(flat)
    values = np.linalg.eigvalsh(np.asarray(hessian))
    assert stratum.negative == int(np.sum(values < -1e-8))
    assert stratum.zero == int(np.sum(np.abs(values) <= 1e-8))


def test_strata_are_lazy_and_stop():
    problem = diagonal(np.arange(30.0, 0, -1), (30, 31, 31, 30))
    first = list(strata(problem, most=3))
    assert [s.modes for s in first] == [tuple(range(1, 31))] * 2 + [tuple(range(1, 30))]
    assert first[0].negative is None
    assert first[0].parameters == 30 * 31 * 2 + 31 * 31
    assert len(list(strata(diagonal([1.0], (1, 1, 1)), most=1))) == 1


def test_signs_are_counted_when_asked():
    problem = diagonal([2.0, 1.0], (2, 2, 2))
    assert next(strata(problem, signs=False)).negative is None
    assert next(strata(Playground(3))).negative == 0


def test_a_stratum_is_plain_values():
    entry = next(strata(diagonal([2.0, 1.0], (2, 2, 2)))).to_json()
    assert entry["kind"] == "global minimum"
    assert entry["modes"] == [1, 2]
    assert entry["dimension"] == 4


def test_numbers_out_of_range_are_refused_at_once():
    with pytest.raises(DomainError, match="most is 0"):
        strata(Playground(2), most=0)
