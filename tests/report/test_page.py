"""A page stands alone: no file, no network, all that was recorded."""

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console

import thalweg as tw
from thalweg._core.errors import StoreError


class Outline(HTMLParser):
    """Collects headings, addresses and identifiers."""

    def __init__(self):
        super().__init__()
        self.loaded, self.ids, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        # xlink:href="#..." stays inside the page.
        self.loaded += [
            value
            for name, value in given.items()
            if name in ("src", "href", "xlink:href") and not value.startswith("#")
        ]
        if "id" in given:
            self.ids.append(given["id"])


@pytest.fixture(scope="module")
def toy():
    problem, start = tw.Playground(4), [0.5] * 4
    step = tw.certify("flammarion2025.Convergence", problem, start).safe_step
    path = tw.descend(
        problem,
        start,
        step_size=step,
        iterations=5000,
        accuracy=1e-6,
        measures=("norm_gaps", "singular_modes"),
    ).with_notes(seed=7, command="thalweg run <toy> & more")
    return path, tw.certify_all(problem, start, step_size=step, path=path)


@pytest.fixture(scope="module")
def text(toy):
    path, certificates = toy
    return tw.page(path, certificates).text


def test_a_page_loads_nothing(text):
    outline = Outline()
    outline.feed(text)
    assert [address for address in outline.loaded if address != "data:,"] == []
    assert "@import" not in text
    assert "<script" not in text
    assert not re.search(r"url\((?!#)", text)


def test_names_inside_the_drawings_do_not_meet(text):
    outline = Outline()
    outline.feed(text)
    assert len(outline.ids) == len(set(outline.ids))


def test_a_page_tells_how_to_make_the_run_again(text):
    assert "thalweg run &lt;toy&gt; &amp; more" in text
    assert "Its seed is 7" in text


def test_a_page_shows_the_promise_beside_the_observation(text):
    assert "excess loss 1e-06 within 9,973 iterations" in text
    assert "38 iterations" in text
    assert "bound kept" in text


def test_a_page_names_theorems_about_other_problems():
    problem = tw.Problem(tw.LinearNet((2, 2, 2)), tw.Moments.whitened(np.eye(2)))
    start = tw.init("identity").draw(0, problem.net)
    path = tw.descend(problem, start, step_size=0.1, iterations=3)
    text = tw.page(path, tw.certify_all(problem, start)).text
    told = "flammarion2025.Convergence (needs: the problem is the playground)"
    assert told in text


def test_every_measure_has_its_figure_and_its_theory(text, toy):
    path, _ = toy
    for name, measure in path.measures:
        assert f'id="{name}"' in text
        assert measure.says.split(",")[0][:30] in text.replace("&#x27;", "'")


def test_a_page_cites_its_sources(text):
    assert "@misc{flammarion2025," in text


def test_a_page_is_saved_whole_or_not_at_all(toy, tmp_path):
    page = tw.page(toy[0])
    saved = page.save(tmp_path / "new" / "run.html")
    assert saved.read_text(encoding="utf-8") == page.text
    assert [file.name for file in saved.parent.iterdir()] == ["run.html"]


def test_a_page_that_cannot_be_written_is_one_sentence(toy, tmp_path):
    (tmp_path / "file").write_text("taken")
    with pytest.raises(StoreError, match="could not be written"):
        tw.page(toy[0]).save(tmp_path / "file" / "run.html")


@pytest.mark.parametrize("kind", ["flow", "batch", "diverging"])
def test_paths_of_every_kind_have_a_page(kind):
    toy = tw.Playground(2)
    path = {
        "flow": lambda: tw.flow(toy, [0.5, 0.8], horizon=3.0, records=20),
        "batch": lambda: tw.descend(
            toy, np.array([[0.5, 0.5], [0.3, 0.9]]), step_size=0.1, iterations=30
        ),
        "diverging": lambda: tw.descend(
            toy, [20.0, 0.0375], step_size=0.1, iterations=30
        ),
    }[kind]()
    text = tw.page(path).text
    assert "nan" not in text.lower().replace("covenant", "")
    assert str(path.outcome)[:20] in text


def test_the_terminal_summary_tells_promise_and_observation(toy):
    path, certificates = toy
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(tw.summary(path, certificates))
    shown = console.export_text()
    assert "promised: excess loss 1e-06 within 9,973 iterations" in shown
    assert "observed: 38 (262 times fewer), bound kept" in shown
    assert max(map(len, shown.splitlines())) <= 80
