"""What the sources print and what is true, against numbers got in other ways."""

from functools import cache

import mpmath
import numpy as np
import pytest

from thalweg.experiments import shelf
from thalweg.experiments._base import Workplace
from thalweg.experiments.source_errors import _chains as chains
from thalweg.experiments.source_errors.sigmoid_invariant import KEPT
from thalweg.experiments.source_errors.width_mismatch import _alpha

NAMES = [name for name in shelf if name.startswith("source_errors.")]


@cache
def measured(name):
    experiment = shelf.make(f"source_errors.{name}")
    settings = experiment.settings("tiny")
    tables = experiment.measure(settings, Workplace())
    return tables, experiment.findings(settings, tables)


def test_every_error_has_its_figure():
    assert len(NAMES) == 12


@pytest.mark.parametrize("name", NAMES)
def test_what_is_printed_fails_and_what_is_corrected_holds(name):
    _, findings = measured(name.partition(".")[2])
    wrong = [f for f in findings if f.claim.startswith(("As printed: ", "As read: "))]
    right = [f for f in findings if f.claim.startswith("Corrected: ")]
    assert wrong
    assert right
    assert len(wrong) + len(right) == len(findings)
    assert not any(finding.holds for finding in wrong)
    assert all(finding.holds for finding in right)


def test_limits_of_the_printed_example_to_their_printed_digits():
    tables, _ = measured("UnboundedExample")
    ends = tables["printed_limits"]
    x = ["0.47047", "0.20959", "0.2038", "0.0334465"]
    y = ["0.73213", "4.55198", "4.6940", "29.865"]
    for found, texts in ((ends["x"], x), (ends["y"], y)):
        for value, text in zip(found, texts, strict=True):
            half = 0.5 * 10.0 ** -len(text.partition(".")[2])
            assert abs(value - float(text)) <= half * (1 + 1e-9)


def test_limits_of_the_corrected_example_to_their_printed_digits():
    tables, _ = measured("UnboundedExample")
    limits = tables["corrected_limits"]
    assert limits["x"][0] == pytest.approx(np.tan(1), rel=1e-15)
    assert limits["x"][1] == pytest.approx(0.8658911, abs=5e-8)
    assert limits["x"][2] == np.inf
    assert limits["z"][2] ** 2 == pytest.approx(2.7168, abs=5e-5)


def test_potentials_against_quadrature_in_fifty_digits():
    tables, _ = measured("SigmaAtInfinity")
    table = tables["potentials"]
    place = int(np.searchsorted(table["x"], 2.0))
    x = mpmath.mpf(float(table["x"][place]))
    with mpmath.workdps(50):
        ratios = {
            "tanh": lambda w: mpmath.tanh(w) * mpmath.cosh(w) ** 2,
            "arctan": lambda w: mpmath.atan(w) * (1 + w * w),
            "logistic": lambda w: 2 * mpmath.tanh(w / 2) * mpmath.cosh(w / 2) ** 2,
        }
        for name, ratio in ratios.items():
            known = float(mpmath.quad(ratio, [0, x]))
            assert table[name][place] == pytest.approx(known, rel=1e-14)


def test_the_law_is_lost_for_white_inputs():
    tables, _ = measured("SigmoidInvariant")
    ends = {name: values[-1] for name, values in tables["sigmoid"].items()}
    assert max(ends[name] for name in KEPT) < 1e-10
    assert min(ends["white"], ends["generic"]) > 0.1


def test_the_strength_of_two_unequal_layers_to_its_printed_digits():
    tables, _ = measured("HyperbolicProduct")
    times = tables["times"]
    assert times["product"][0] == pytest.approx(1.36569096181, abs=5e-12)
    assert times["corrected"][0] == pytest.approx(1, abs=1e-10)
    assert np.isnan(times["printed_layers"][0])


def test_the_velocity_is_minus_the_slope_of_the_loss():
    rng = np.random.default_rng(3)
    layers = [rng.standard_normal(shape) for shape in ((3, 4), (2, 3), (2, 2))]
    inputs, labels = rng.standard_normal((4, 7)), rng.standard_normal((2, 7))
    ways = [rng.standard_normal(layer.shape) for layer in layers]
    speed = chains.packed(chains.velocity(layers, inputs, labels))
    step = 1e-5
    ends = [
        chains.loss(
            [w + sign * step * v for w, v in zip(layers, ways, strict=True)],
            inputs,
            labels,
        )
        for sign in (1, -1)
    ]
    slope = (ends[0] - ends[1]) / (2 * step)
    # Central differences err by a third derivative times step squared over six.
    assert -speed @ chains.packed(ways) == pytest.approx(slope, rel=1e-6)


def test_the_constant_of_a_balanced_pair_to_its_printed_value():
    assert _alpha(np.zeros(4), 4, 4, (0.75, 0.75)) == pytest.approx(1.5, rel=1e-15)


def test_the_constant_is_tight_for_an_even_imbalance():
    lam, least = 0.8, 0.3
    size = (lam + np.sqrt(lam**2 + 4 * least**2)) / 2
    true = size + (size - lam)
    assert _alpha(np.full(3, lam), 3, 3, (least, least)) == pytest.approx(true, 1e-15)


def test_one_hidden_layer_changes_the_loss_as_worked_out_by_hand():
    tables, _ = measured("NegativeDirection")
    along = tables["directions"]
    at = along["multiple"]
    np.testing.assert_allclose(along["row_2"], -3 * at, rtol=0, atol=1e-14)
    np.testing.assert_allclose(along["row_3"], 0.625 - 3 * at, rtol=0, atol=1e-14)


def test_minima_of_the_hand_sized_net_have_as_many_flat_directions_as_it_has_left():
    tables, _ = measured("Semidefinite")
    counts = tables["counts"]
    assert counts["parameters"].tolist() == [4 * 5 + 4 * 4 + 3 * 4]
    assert counts["zero"].tolist() == [48 - 15]


def with_column(table, column, values):
    return {**table, column: np.asarray(values)}


@pytest.mark.parametrize(
    ("name", "table", "column", "values"),
    [
        ("FourToTheD", "depths", "iterations", lambda t: 4 ** t["depth"]),
        ("Ranges", "changes", "change_3", lambda t: 0 * t["change_3"]),
        ("WidthMismatch", "counts", "printed_above", lambda t: 0 * t["cases"]),
        ("CaseDimension", "dimensions", "measured", lambda t: t["as_printed"]),
        ("Semidefinite", "counts", "zero", lambda t: 0 * t["zero"]),
        ("CrossBlocks", "points", "strict_without", lambda t: t["strict_with"]),
        ("SigmoidInvariant", "sigmoid", "generic", lambda t: 0 * t["generic"]),
        (
            "NegativeDirection",
            "saddles",
            "least_eigenvalue",
            lambda t: 0 * t["gradient"],
        ),
    ],
)
def test_what_is_printed_would_hold_if_that_were_measured(name, table, column, values):
    experiment = shelf.make(f"source_errors.{name}")
    tables, _ = measured(name)
    doctored = with_column(tables[table], column, values(tables[table]))
    settings = experiment.settings("tiny")
    told = experiment.findings(settings, {**tables, table: doctored})
    assert told[0].claim.startswith(("As printed: ", "As read: "))
    assert told[0].holds
