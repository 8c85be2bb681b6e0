"""The code on the pages runs, and the reference holds what stands on the shelves."""

import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path[:0] = [str(DOCS), str(DOCS / "_ext")]

import run_blocks  # noqa: E402

from thalweg.experiments import shelf as experiments  # noqa: E402
from thalweg.measures import shelf as measures  # noqa: E402
from thalweg.theorems import shelf as theorems  # noqa: E402

PAGES = run_blocks.pages(DOCS)
# Every build of the pages runs all of them; these take too long for every test.
SLOW = {DOCS, DOCS / "understand"}

BARE_MEASURE = '''
"""A measure with nothing on its card."""

import jax.numpy as jnp

from thalweg.measures._base import AbstractMeasure


class BareNumber(AbstractMeasure):
    """One, whatever the weights."""

    def read(self, problem, weights):
        return jnp.ones(())
'''
BARE_THEOREM = '''
"""A theorem with nothing on its card."""

from thalweg.theorems._base import AbstractTheorem, Hypothesis


class Nothing(AbstractTheorem):
    """It promises nothing."""

    def hypotheses(self, case):
        return [Hypothesis("a fact", fact=True)]

    def guarantee(self, case):
        return None
'''


def _marked(page):
    name = str(page.relative_to(DOCS))
    marks = [pytest.mark.slow] if page.parent in SLOW else []
    return pytest.param(page, id=name, marks=marks)


@pytest.mark.parametrize("page", [_marked(page) for page in PAGES])
def test_the_blocks_of_a_page_run(page):
    text = page.read_text(encoding="utf-8")
    with run_blocks.ran(text, page.name) as made:
        fences = text.count("\n```python") + text.count("\n```console")
        assert len(made) == fences


def test_a_block_that_fails_fails_its_page():
    page = run_blocks.ran("```python\n1 / 0\n```\n", "page.md")
    with pytest.raises(run_blocks.BlockFailed, match="line 2"):
        page.__enter__()


def test_a_block_that_must_raise_and_does_not_fails_its_page():
    page = run_blocks.ran("```python raises\nx = 1\n```\n", "page.md")
    with pytest.raises(run_blocks.BlockFailed, match="raises nothing"):
        page.__enter__()


def test_a_file_leaves_the_shelf_with_its_page():
    file = "src/thalweg/measures/bare_number.py"
    with run_blocks.on_the_shelf(file, BARE_MEASURE):
        assert "bare_number" in measures
        assert measures.make("bare_number").symbol == ""
    assert "bare_number" not in measures


def test_no_page_names_what_is_not_on_a_shelf():
    for page in PAGES:
        for word in page.read_text(encoding="utf-8").split('"'):
            if word.startswith(("arora2019.", "chitour2023.", "flammarion2025.")):
                assert word in theorems or word in experiments, page


def test_the_reference_holds_every_measure_and_every_theorem(tmp_path):
    shelves = pytest.importorskip("shelves", reason="needs the extra docs")
    pages = pytest.importorskip("theorem_pages", reason="needs the extra docs")
    with (
        run_blocks.on_the_shelf("src/thalweg/measures/bare_number.py", BARE_MEASURE),
        run_blocks.on_the_shelf("src/thalweg/theorems/bare.py", BARE_THEOREM),
    ):
        page = shelves.measure_page()
        assert all(f"\n{name}\n---" in page for name in measures)
        assert "bare.Nothing" in pages._page("bare.Nothing", tmp_path)
        assert "bare.Nothing" in theorems


@pytest.mark.parametrize("latex", [r"\mathbb R^n", r"\tfrac12 \|W - \Phi\|_F^2"])
def test_formulas_become_mathml(latex):
    mathml = pytest.importorskip("mathml", reason="needs the extra docs")
    assert mathml.mathml(latex, "inline").startswith("<math")


def test_a_formula_that_cannot_be_written_is_refused():
    mathml = pytest.importorskip("mathml", reason="needs the extra docs")
    with pytest.raises(ValueError, match="cannot be written"):
        mathml.mathml(r"\nosuchcommand x", "inline")
