"""Planes of starts are drawn in the colours that the legend names."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from thalweg import Playground
from thalweg.landscape._following.sorting import Limit
from thalweg.landscape.planes import slice_basins
from thalweg.report.basin_map import TINTS, _colours, _image, basin_map


def test_only_minima_are_pale_where_they_are_slow():
    plane = slice_basins(Playground(2), size=12, extent=2.5, iterations=40)
    verdicts = np.array([limit.verdict for limit in plane.limits])[plane.codes]
    assert set(verdicts.ravel()) == {"global minimum", "saddle", "undecided"}
    image = _image(plane, _colours(plane.limits))
    for name in ("saddle", "undecided"):
        assert np.all(image[verdicts == name] == to_rgb(TINTS[name]))
    minima = verdicts == "global minimum"
    brightness = image[minima].sum(axis=-1)[np.argsort(plane.iterations[minima])]
    assert np.all(np.diff(brightness) >= 0)
    assert brightness[-1] > brightness[0]
    [legend] = basin_map(plane).legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words[0] == "global minimum (the slower, the paler)"
    assert words[1] == "saddle, modes learnt: none"


@pytest.mark.parametrize("many", [2, 5, 20])
def test_any_number_of_limits_has_colours(many):
    limits = [Limit("saddle", "", (mode,), float(mode)) for mode in range(1, many + 1)]
    colours = _colours([Limit("global minimum"), *limits])
    assert len(colours) == many + 1
    assert len(set(colours)) == min(many + 1, 8)
