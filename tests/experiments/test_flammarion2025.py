"""The lecture's figures: table A.5 to its digits, counts, and starts that fail."""

from fractions import Fraction
from functools import cache
from math import ceil, log

import numpy as np
import pytest

from thalweg.experiments import shelf
from thalweg.experiments._base import Workplace
from thalweg.experiments.flammarion2025 import _playground as play


@cache
def measured(name, scale="tiny"):
    experiment = shelf.make(f"flammarion2025.{name}")
    settings = experiment.settings(scale)
    tables = experiment.measure(settings, Workplace())
    return settings, tables, experiment.findings(settings, tables)


def exact_count(start, step, goal):
    """Count steps in rational arithmetic, rounded outward to 200 bits a step."""
    x, count = [Fraction(f) for f in start], 0
    while True:
        product = Fraction(1)
        for factor in x:
            product *= factor
        if (product - 1) ** 2 <= 2 * goal:
            return count
        x = [f - step * (product - 1) * product / f for f in x]
        x = [Fraction(round(f * 2**200), 2**200) for f in x]
        count += 1


def test_table_of_the_theorem_to_its_printed_digits():
    _, tables, _ = measured("Bound", "paper")
    rows = tables["starts"]
    assert rows["iterations"].tolist() == [21, 38, 279, 987, 169]
    assert rows["promised"].tolist() == [596, 9973, 2578417, 41273233, 20023]
    assert rows["promised_sharply"].tolist() == [21, 40, 282, 990, 200]
    expected = [0.28125, 0.439453125, 0.49610137939453125, 0.4990239143371582]
    assert rows["loss"][:4].tolist() == expected
    assert rows["loss"][4] == pytest.approx(0.189728, rel=1e-15)
    assert rows["spread"][4] == pytest.approx(3, rel=4e-16)


def test_losses_and_bounds_along_the_way_to_their_printed_digits():
    _, tables, _ = measured("Bound", "paper")
    curves = tables["curves"]
    eight, uneven = (curves["start"] == k for k in (2, 4))
    assert curves["loss"][eight][100] == pytest.approx(0.49251976630602107, rel=1e-13)
    assert curves["bound"][eight][100] == pytest.approx(0.4958491127030973, rel=1e-13)
    assert curves["loss"][uneven][1] == pytest.approx(0.18386687948494726, rel=1e-14)


def test_counts_are_those_of_rational_arithmetic():
    half, goal = Fraction(1, 2), Fraction(1, 10**6)
    wanted = [exact_count([half] * d, Fraction(1, 3 * d), goal) for d in (2, 4, 8)]
    depths = np.array([2, 4, 8])
    found = play.steps_of_equals(np.full(3, 0.5), depths, np.array(1e-6))
    assert found.tolist() == wanted == [21, 38, 279]


def test_the_gradient_to_its_printed_digits():
    found = play.gradient(np.array([[0.5, 1.2, 0.8]]))
    np.testing.assert_allclose(found, [[-0.4992, -0.208, -0.312]], rtol=0, atol=2e-16)


def test_the_catch_and_its_closed_form():
    _, tables, findings = measured("Catch")
    table = tables["depths"]
    counts = dict(
        zip(table["depth"].tolist(), table["iterations"].tolist(), strict=True)
    )
    closed = dict(
        zip(table["depth"].tolist(), table["leading_order"].tolist(), strict=True)
    )
    assert (counts[8], counts[10]) == (279, 987)
    assert closed[8] == pytest.approx(256)
    assert closed[10] == pytest.approx(960)
    assert [finding.holds for finding in findings] == [True, False, True, True]


def test_starts_near_one_take_a_time_that_does_not_grow():
    settings, tables, _ = measured("NearOne")
    table = tables["starts"]
    for offset in settings["offsets"]:
        here = table["start"] == f"1 - {offset:g}/d"
        depth, counts = table["depth"][here], table["iterations"][here]
        assert counts.max() <= counts.min() * 1.6
        np.testing.assert_allclose(table["distance"][here] * np.sqrt(depth), offset)
        product = (1 - offset / depth[-1]) ** depth[-1]
        ratio = 0.5 * (1 - product) ** 2 / 1e-6
        asked = ceil(log(ratio) / -np.log1p(-(product**2) / 3))
        assert table["promised"][here][-1] == asked


def test_exercise_42_to_its_printed_numbers():
    two = np.array([[-1.0, 1.0]])
    four = np.array([[-1.0, 1.0, 1.0, 1.0]])
    np.testing.assert_allclose(
        two - 0.1 * play.gradient(two), [[-0.8, 0.8]], rtol=0, atol=2e-16
    )
    np.testing.assert_allclose(
        four - 0.05 * play.gradient(four), [[-0.9, 0.9, 0.9, 0.9]], rtol=0, atol=2e-16
    )


def test_exercise_42_fails_at_even_depth_only():
    _, tables, findings = measured("FailingStarts")
    table = tables["step_sizes"]
    even = table["depth"] % 2 == 0
    assert table["lowest_loss"][even].min() >= 0.5
    assert table["lowest_loss"][~even].min() < 0.1
    assert all(finding.holds for finding in findings)


def test_descents_in_the_plane_end_on_the_hyperbola_or_at_the_saddle():
    _, tables, findings = measured("Field")
    paths = tables["paths"]
    last = paths["iteration"] == paths["iteration"].max()
    product = (paths["x"] * paths["y"])[last]
    np.testing.assert_allclose(product[:-1], 1, rtol=0, atol=1e-12)
    assert abs(product[-1]) < 1e-12
    assert all(finding.holds for finding in findings)
