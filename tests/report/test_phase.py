"""Phase diagrams: what is drawn is what the table holds."""

import numpy as np
import pytest

from thalweg._core.errors import DomainError, UnknownName
from thalweg.report.figure import save_figure
from thalweg.report.phase import phase_diagram
from thalweg.sweep.table import Table

STDS = [0.01, 0.1, 1.0]
DEPTHS = [2, 3]


def table(spoilt=()):
    rows = [(s, d, seed) for d in DEPTHS for s in STDS for seed in range(3)]
    fast = {(s, d): 100 * d / s for s in STDS for d in DEPTHS}
    return Table.of(
        {
            "init.std": [s for s, _, _ in rows],
            "depth": [d for _, d, _ in rows],
            "seed": [seed for _, _, seed in rows],
            "name": ["a" if d == 2 else "b" for _, d, _ in rows],
            "iterations": [int(fast[s, d]) + seed for s, d, seed in rows],
            "status": [
                "out of budget" if (s, d) in spoilt else "converged" for s, d, _ in rows
            ],
        },
        axes=("init.std", "depth", "seed"),
    )


def test_a_map_shows_the_median_of_every_cell():
    axes, bar = phase_diagram(table(), "init.std", "depth", "iterations").axes
    mesh = axes.collections[0]
    shown = np.asarray(mesh.get_array()).reshape(2, 3)
    expected = [[int(100 * d / s) + 1 for s in STDS] for d in DEPTHS]
    np.testing.assert_array_equal(shown, expected)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0.01", "0.1", "1"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["2", "3"]
    assert bar.get_yscale() == "log"
    assert axes.get_legend() is None


def test_a_cell_without_a_run_that_converged_is_hatched_and_said_so():
    spoilt = table(spoilt=[(1.0, 3)])
    axes = phase_diagram(spoilt, "init.std", "depth", "iterations").axes[0]
    shown = np.ma.asarray(axes.collections[0].get_array()).reshape(2, 3)
    assert np.ma.getmaskarray(shown).tolist() == [[False] * 3, [False, False, True]]
    assert [patch.get_hatch() for patch in axes.patches] == ["////"]
    assert axes.get_legend().get_texts()[0].get_text() == "none converged"


def test_a_map_of_cells_all_of_which_failed_is_drawn_all_the_same(tmp_path):
    spoilt = table(spoilt=[(s, d) for s in STDS for d in DEPTHS])
    drawn = phase_diagram(spoilt, "init.std", "depth", "iterations")
    assert save_figure(drawn, tmp_path / "it.svg").stat().st_size > 1000


def test_curves_break_off_where_nothing_converged():
    spoilt = table(spoilt=[(0.1, 2)])
    axes = phase_diagram(spoilt, "init.std", "iterations", by="depth").axes[0]
    first, second = axes.get_lines()
    np.testing.assert_array_equal(first.get_ydata(), [20001, np.nan, 201])
    np.testing.assert_array_equal(second.get_xdata(), STDS)
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert [t.get_text() for t in axes.get_legend().get_texts()] == [
        "depth = 2", "depth = 3",
    ]  # fmt: skip


def test_a_single_curve_has_no_legend_and_words_are_ticks():
    axes = phase_diagram(table(), "name", "iterations", reduce="min").axes[0]
    assert axes.get_legend() is None
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b"]
    assert axes.get_lines()[0].get_ydata().tolist() == [200, 300]


def test_a_random_design_is_a_dot_a_run():
    rng = np.random.default_rng(0)
    std, step = 10 ** rng.uniform(-3, 0, 400), rng.uniform(0.1, 1, 400)
    good = step < 0.7
    made = Table.of(
        {
            "std": std.tolist(),
            "step": step.tolist(),
            "iterations": list(range(400)),
            "status": ["converged" if one else "diverged" for one in good],
        }
    )
    axes = phase_diagram(made, "std", "step", "iterations").axes[0]
    dots, hollow = axes.collections
    np.testing.assert_array_equal(dots.get_offsets(), np.c_[std, step][good])
    np.testing.assert_array_equal(dots.get_array(), np.arange(400)[good])
    np.testing.assert_array_equal(hollow.get_offsets(), np.c_[std, step][~good])
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")


def test_a_point_where_a_search_found_nothing_has_a_cell_of_its_own():
    none = float("nan")
    made = Table.of(
        {
            "depth": [2, 3, 4, 5],
            "step_size": [0.1, none, 0.1, none],
            "evaluations": [3, 9, 4, 9],
        }
    )
    axes = phase_diagram(made, "step_size", "depth", "evaluations").axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0.1", "none"]
    lines = phase_diagram(made, "step_size", "evaluations").axes[0].get_lines()
    np.testing.assert_array_equal(lines[0].get_ydata(), [3.5, 9.0])


@pytest.mark.parametrize("name", ["init.std", "depth", "name", "status", "iterations"])
def test_a_curve_can_lie_over_any_column_even_over_itself(name, tmp_path):
    drawn = phase_diagram(table(), name, "iterations")
    assert save_figure(drawn, tmp_path / "it.svg").stat().st_size > 1000
    empty = phase_diagram(table().where([]), name, "iterations", by="depth")
    assert save_figure(empty, tmp_path / "no.svg").stat().st_size > 1000


def test_what_cannot_be_drawn_is_refused():
    made = Table.of({"a": [str(n) for n in range(400)], "b": [*range(400)]})
    with pytest.raises(DomainError, match="too many for a map"):
        phase_diagram(made, "a", "b", "b")
    with pytest.raises(DomainError, match="'name' holds no numbers"):
        phase_diagram(table(), "init.std", "depth", "name")
    with pytest.raises(UnknownName, match=r"Did you mean .init\.std."):
        phase_diagram(table(), "init.sdt", "depth", "iterations")
    with pytest.raises(DomainError, match="by came with color"):
        phase_diagram(table(), "init.std", "depth", "iterations", by="seed")
