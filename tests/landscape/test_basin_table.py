"""Basins by start size, depth and width."""

import numpy as np
import pytest

from thalweg import LinearNet, Moments, Playground, Problem
from thalweg._core.errors import DomainError
from thalweg.landscape.basin_table import basin_table
from thalweg.landscape.basins import basins

DATA = Moments.whitened(np.diag([2.0, 1.0]))


def test_every_combination_is_a_row_and_is_what_basins_finds():
    problem = Problem(LinearNet((2, 2, 2)), DATA)
    rows = basin_table(problem, stds=[0.3, 1.0], depths=[2, 3], widths=[3], runs=100)
    assert [(r.std, r.depth, r.width) for r in rows] == [
        (std, depth, 3) for std in (0.3, 1.0) for depth in (2, 3)
    ]
    alone = basins(Problem(LinearNet((2, 3, 3, 2)), DATA), std=1.0, runs=100)
    assert rows[-1].found.columns.excess.tobytes() == alone.columns.excess.tobytes()
    told = rows[-1].to_json()
    assert told["shares"] == alone.to_json()["shares"]
    assert (told["std"], told["depth"], told["width"]) == (1.0, 3, 3)


def test_a_problem_without_changes_is_kept():
    problem = Problem(LinearNet((2, 3, 2)), DATA)
    (row,) = basin_table(problem, runs=50)
    assert row.found.problem is problem
    assert (row.std, row.depth, row.width) == (None, 2, None)


def test_a_function_makes_the_problems():
    rows = basin_table(
        lambda depth, _width: Playground(depth), stds=[1.0], depths=[2], widths=[1],
        runs=50,
    )  # fmt: skip
    assert rows[0].found.problem == Playground(2)


@pytest.mark.parametrize("depth", [2, 3])
def test_random_starts_are_led_to_no_saddle(depth):
    problem = Problem(LinearNet((2,) * (depth + 1)), DATA)
    found = basins(problem, "gaussian", std=1.0, runs=2000, seed=11)
    assert found.share("saddle").successes == 0
    assert found.share("saddle").at_most == pytest.approx(1 - 0.05 ** (1 / 2000))
    assert found.share("global minimum").successes == 2000


def test_what_is_missing_is_told():
    with pytest.raises(DomainError, match="a function needs depths and widths"):
        basin_table(lambda depth, width: Playground(depth))
    with pytest.raises(DomainError, match="depths came without widths"):
        basin_table(Problem(LinearNet((2, 2, 2)), DATA), depths=[2])
