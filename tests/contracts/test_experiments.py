"""Every published figure: its card, its tiny scale, what is saved of it."""

import json
from functools import cache

import numpy as np
import pytest

from thalweg._core.errors import UnknownName
from thalweg.experiments import shelf
from thalweg.experiments._base import SCALES, Workplace
from thalweg.experiments._reproduce import Reproduction, reproduce
from thalweg.report.figure import save_figure

QUICK = 0.5
"""Seconds up to which a tiny scale is measured a second time."""


@cache
def tiny(name):
    return reproduce(name, scale="tiny")


def test_the_figures_of_every_source_stand_on_the_shelf():
    papers = {name.partition(".")[0] for name in shelf}
    assert {"arora2019", "bartlett2018", "saxe2014", "chitour2023"} <= papers
    assert {"flammarion2025", "source_errors", "zhao2023", "arora2018"} <= papers


@pytest.mark.parametrize("name", list(shelf))
def test_a_card_says_what_is_shown_and_how_long_it_takes(name):
    entry = shelf.entry(name)
    assert entry.source.place
    assert entry.title
    assert not entry.title.endswith(".")
    assert entry.claim.endswith(".")
    assert set(entry.seconds) == set(SCALES)
    assert 0 < entry.seconds["tiny"] <= 10
    assert entry.seconds["tiny"] <= entry.seconds["paper"] <= 1200


@pytest.mark.parametrize("name", list(shelf))
@pytest.mark.parametrize("scale", SCALES)
def test_settings_are_plain_values_that_json_gives_back(name, scale):
    settings = shelf.make(name).settings(scale)
    assert settings
    assert json.loads(json.dumps(settings, allow_nan=False)) == json.loads(
        json.dumps(shelf.make(name).settings(scale))
    )


@pytest.mark.parametrize("name", list(shelf))
def test_the_tiny_scale_gives_tables_and_findings(name):
    found = tiny(name)
    assert found.tables
    for table in found.tables.values():
        lengths = {len(column) for column in table.values()}
        assert len(lengths) == 1
        assert lengths.pop() > 0
    assert found.findings
    for finding in found.findings:
        assert finding.claim.endswith(".")
        assert type(finding.holds) is bool
        assert finding.holds or finding.note
        assert isinstance(finding.ours, float | str)
    report = found.to_json()
    json.dumps(report, allow_nan=False)
    assert report["command"] == f"thalweg reproduce {name} --scale tiny"


@pytest.mark.parametrize("name", list(shelf))
def test_a_saved_reproduction_comes_back_and_is_drawn_alike(name, tmp_path):
    found = tiny(name)
    files = found.save(tmp_path / "it")
    again = Reproduction.load(tmp_path / "it")
    assert again.to_json() == found.to_json()
    for which, table in found.tables.items():
        for column, values in table.items():
            np.testing.assert_array_equal(again.tables[which][column], values)
    drawn = {file.suffix: file.read_bytes() for file in files}
    assert b"<svg" in drawn[".svg"]
    figure = again.figure()
    redrawn = save_figure(figure, tmp_path / "again.svg")
    assert redrawn.read_bytes() == drawn[".svg"]
    panels = figure.axes
    assert panels
    assert any(panel.get_xlabel() or panel.get_title() for panel in panels)


@pytest.mark.parametrize("name", list(shelf))
def test_the_same_settings_give_the_same_numbers(name):
    found = tiny(name)
    if found.seconds > QUICK:
        pytest.skip(f"its tiny scale takes longer than {QUICK} s")
    again = found.experiment.measure(found.settings, Workplace())
    for which, table in found.tables.items():
        for column, values in table.items():
            # What a clock told is not a number of the experiment.
            if "second" not in column:
                np.testing.assert_array_equal(again[which][column], values)


def test_a_name_and_a_scale_that_do_not_exist_are_refused():
    with pytest.raises(UnknownName, match="Did you mean"):
        reproduce("flammarion2025.Feild", scale="tiny")
    with pytest.raises(UnknownName, match="paper"):
        reproduce("flammarion2025.Field", scale="papr")
