"""Figures are drawn from cards: solid curves, dashed levels and bounds."""

import numpy as np
import pytest

import thalweg as tw
from thalweg._core.errors import DomainError, StoreError, UnknownName
from thalweg.measures import shelf
from thalweg.report import look
from thalweg.report.figure import figure, save_figures

NAMES = [
    name for name in shelf.names() if tw.measure(name).suits(tw.LinearNet((3, 4, 2)))
]


@pytest.fixture(scope="module")
def run():
    problem = tw.Problem(tw.LinearNet((3, 4, 2)), tw.Moments.whitened(np.eye(2, 3)))
    weights = tw.init("gaussian", std=0.3).draw(0, problem.net)
    return tw.descend(problem, weights, step_size=0.1, iterations=60, measures=NAMES)


@pytest.fixture(scope="module")
def proved():
    toy = tw.Playground(2)
    certificate = tw.certify("flammarion2025.Convergence", toy, [0.5, 0.5])
    path = tw.descend(toy, [0.5, 0.5], step_size=certificate.step_size, iterations=50)
    return path, certificate


def dashes(drawn):
    return [line for line in drawn.axes[0].get_lines() if line.get_linestyle() == "--"]


@pytest.mark.parametrize("name", NAMES)
def test_every_measure_can_be_drawn(run, name):
    axes = figure(run, name).axes[0]
    assert axes.get_lines()
    assert axes.get_xlabel() == "iteration"


@pytest.mark.parametrize("name", ["loss", "excess_loss"])
def test_a_proved_bound_is_dashed_and_above_the_curve(proved, name):
    path, certificate = proved
    drawn = figure(path, name, [certificate])
    (bound,) = dashes(drawn)
    curve = drawn.axes[0].get_lines()[0]
    assert curve.get_linestyle() == "-"
    assert np.all(np.asarray(bound.get_ydata()) >= np.asarray(curve.get_ydata()))
    assert bound.get_color() == look.BOUND


def test_a_bound_about_the_flow_is_not_drawn_over_a_descent(run):
    certificate = tw.certify("chitour2023.Invariance", run.problem, run.start)
    assert not dashes(figure(run, "excess_loss", [certificate]))


def test_levels_are_dashed_at_the_targets_singular_values(run):
    levels = [line.get_ydata()[0] for line in dashes(figure(run, "singular_modes"))]
    assert levels == [1.0, 1.0]


def test_a_conserved_matrix_is_drawn_as_its_change(run):
    drawn = figure(run, "invariants").axes[0]
    (line,) = drawn.get_lines()
    changes = run["invariants"] - run["invariants"][0]
    expected = np.sqrt(np.sum(changes**2, axis=(2, 3)))[:, 0]
    seen = np.asarray(line.get_ydata(), dtype=float)
    np.testing.assert_array_equal(seen[1:], expected[1:])
    assert "change of" in drawn.get_title(loc="left")


def test_a_batch_is_drawn_run_by_run():
    path = tw.descend(
        tw.Playground(2),
        np.array([[0.5, 0.5], [0.4, 0.9]]),
        step_size=0.1,
        iterations=9,
    )
    assert len(figure(path, "loss").axes[0].get_lines()) == 2


def test_an_unknown_column_is_refused(run):
    with pytest.raises(UnknownName, match="no entry 'los' on this path's columns"):
        figure(run, "los")


def test_figures_are_saved_in_every_format(run, tmp_path):
    files = save_figures(run, tmp_path / "f", ["png", "svg", "pdf"])
    assert len(files) == 3 * len(list(run))
    assert all(file.stat().st_size > 1000 for file in files)


def test_an_unknown_format_is_refused(run, tmp_path):
    with pytest.raises(DomainError, match="must be one of png, svg, pdf"):
        save_figures(run, tmp_path, ["gif"])


def test_a_folder_that_cannot_be_written_is_one_sentence(run, tmp_path):
    (tmp_path / "file").write_text("taken")
    with pytest.raises(StoreError, match="could not be written"):
        save_figures(run, tmp_path / "file" / "deeper", ["png"])
