"""Pivots, against their definition by ranks."""

from itertools import combinations

import numpy as np
import pytest

from saddles import drawn, product
from thalweg.landscape.pivots import pivots


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("widths", [(3, 4, 2), (4, 3, 3, 2), (3, 3, 4, 3, 3)], ids=str)
def test_a_pivots_ranks_are_those_of_its_blocks(seed, widths):
    values = [2.0, 1.5, 1.0][: widths[-1]]
    problem, weights = drawn(seed, widths, values, range(seed % 3), white=seed % 2 > 0)
    x, y = (
        np.asarray(problem.data.inputs_factor),
        np.asarray(problem.data.labels_factor),
    )
    depth, found = len(weights), pivots(problem, weights)
    assert len(found) == depth * (depth - 1) // 2
    by_place = {(p.upper, p.lower): p for p in found}
    for lower, upper in combinations(range(1, depth + 1), 2):
        pivot = by_place[upper, lower]
        before = product(weights[: lower - 1], widths[0]) @ x
        after = product(weights[upper:], widths[upper])
        between = product(weights[lower : upper - 1], widths[lower])
        through = before @ y.T @ after
        # Layers of condition two: what is not zero is far from 1e-9.
        ranks = tuple(np.linalg.matrix_rank(m, tol=1e-9) for m in (through, between))
        assert (pivot.through_rank, pivot.between_rank) == ranks
        assert pivot.is_tightened == (min(ranks) == seed % 3)
