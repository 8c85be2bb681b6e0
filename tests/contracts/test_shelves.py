"""A folder is a catalogue: a new file is a new entry, and nothing else is touched."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import thalweg
from thalweg._core.errors import DomainError, UnknownName
from thalweg._core.shelf import Shelf
from thalweg.experiments import shelf as experiments
from thalweg.inits import shelf as inits
from thalweg.measures import shelf as measures
from thalweg.problem.datasets import shelf as datasets
from thalweg.sweep.engines import shelf as engines
from thalweg.theorems import shelf as theorems
from tolerances import is_a_sentence

SHELVES = [inits, measures, theorems, datasets, engines, experiments]

MEASURE = '''"""How far the loss has fallen, in decades below one."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Scalar
from thalweg._core.papers import CS439
from thalweg._core.source import Source
from thalweg.measures._base import AbstractMeasure


@dataclass(frozen=True)
class LossDecades(AbstractMeasure):
    """Minus the decimal logarithm of the loss, times a weight."""

    weight: float = 1.0

    symbol: ClassVar[str] = r"-\\log_{10} L"
    says: ClassVar[str] = "It grows in a straight line under linear convergence."
    source: ClassVar[Source] = CS439.at("nowhere")

    def read(self, problem: Any, weights: Any) -> Scalar:
        """Return the decades."""
        return -self.weight * jnp.log10(problem.loss(weights))
'''

THEOREM = '''"""A paper nobody has written."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from thalweg._core.source import Source
from thalweg.linalg import balls
from thalweg.problem.scalar import Playground
from thalweg.theorems._base import (
    AbstractTheorem,
    Case,
    Example,
    Guarantee,
    Hypothesis,
)

NOBODY2030 = Source("nobody2030", "N. Body", "On nothing", "Journal", 2030)


@dataclass(frozen=True)
class Stillness(AbstractTheorem):
    """The loss never exceeds that at the start."""

    source: ClassVar[Source] = NOBODY2030.at("Theorem 0")

    def hypotheses(self, case: Case) -> list[Hypothesis]:
        """Return that the step is below one."""
        return [Hypothesis("step < 1", 1 - case.step)]

    def guarantee(self, case: Case) -> Guarantee:
        """Return a factor of one."""
        one = balls.scalar(1)
        return Guarantee("it does not rise", start=case.excess_loss, factor=one)

    def safe_step(self, case: Case) -> float:
        """Return one half."""
        return 0.5

    def witnesses(self) -> Iterator[Example]:
        """Yield a start at rest."""
        yield Example(Playground(2), Playground(2).check([1.0, 1.0]), 0.5)
'''

INIT = '''"""Every entry alike."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from thalweg._core.arrays import Weights
from thalweg._core.papers import CS439
from thalweg._core.source import Source
from thalweg.inits._base import AbstractInit


@dataclass(frozen=True, eq=False)
class AllAlike(AbstractInit):
    """Every entry has the same value; the key is not used."""

    value: float = 0.5

    source: ClassVar[Source] = CS439.at("nowhere")

    def draw(self, key, net) -> Weights:
        """Return the layers."""
        return tuple(jnp.full(shape, self.value) for shape in net.shapes)
'''

USE = """
import json, sys, tempfile
import thalweg as tw
from thalweg.experiments import shelf as experiments
from thalweg.inits import shelf as inits
from thalweg.measures import shelf as measures
from thalweg.sweep.engines import shelf as engines
from thalweg.theorems import shelf as theorems

toy = tw.Playground(2)
path = tw.descend(toy, [0.5, 0.5], step_size=0.1, iterations=20,
                  measures=("loss_decades",))
folder = tempfile.mkdtemp() + "/run"
path.save(folder)
drawn = tw.init("all-alike", value=0.25).draw(None, tw.LinearNet((1, 1, 1)))
certificate = tw.certify("nobody2030.Stillness", toy, [0.5, 0.5])
flow = tw.flow(toy, [0.5, 0.5], times=[0.0, 1.0],
               measures=(tw.measure("loss_decades", weight=2.0),))
print(json.dumps({
    "where": tw.__file__,
    "names": [inits.names(), measures.names(), theorems.names()],
    "column": path["loss_decades"].tolist(),
    "loaded": tw.Path.load(folder)["loss_decades"].tolist(),
    "flowed": flow["loss_decades"].tolist(),
    "drawn": [float(w[0, 0]) for w in drawn],
    "verdict": str(certificate.verdict),
    "step": certificate.step_size,
    "all": [c.theorem for c in tw.certify_all(toy, [0.5, 0.5], step_size=0.1)],
    "cited": "nobody2030" in certificate.cite(),
}))
"""


@pytest.fixture(scope="module")
def enlarged(tmp_path_factory):
    """What a copy of the package says with three more files and no other change."""
    root = tmp_path_factory.mktemp("enlarged")
    package = Path(thalweg.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, root / "thalweg", ignore=ignored)
    for shelf, file, text in (
        ("measures", "loss_decades.py", MEASURE),
        ("theorems", "nobody2030.py", THEOREM),
        ("inits", "all_alike.py", INIT),
    ):
        (root / "thalweg" / shelf / file).write_text(text, encoding="utf-8")
    told = subprocess.run(
        [sys.executable, "-c", USE],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True, text=True, check=False, cwd=root,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    facts = json.loads(told.stdout)
    assert Path(facts["where"]).is_relative_to(root)
    return facts


def test_a_new_file_stands_on_its_shelf(enlarged):
    inits_now, measures_now, theorems_now = enlarged["names"]
    assert set(inits_now) == {*inits.names(), "all_alike"}
    assert set(measures_now) == {*measures.names(), "loss_decades"}
    assert set(theorems_now) == {*theorems.names(), "nobody2030.Stillness"}


def test_a_new_measure_is_recorded_saved_and_loaded(enlarged):
    assert enlarged["column"][0] == pytest.approx(0.5509, abs=1e-4)
    assert enlarged["column"] == sorted(enlarged["column"])
    assert enlarged["loaded"] == enlarged["column"]
    assert enlarged["flowed"][0] == pytest.approx(2 * enlarged["column"][0])


def test_a_new_init_draws(enlarged):
    assert enlarged["drawn"] == [0.25, 0.25]


def test_a_new_theorem_certifies(enlarged):
    assert enlarged["verdict"] == "proved"
    assert enlarged["step"] == 0.5
    assert "nobody2030.Stillness" in enlarged["all"]
    assert enlarged["cited"]


@pytest.mark.parametrize("shelf", SHELVES, ids=lambda shelf: shelf.label)
def test_a_shelf_lists_names_cards_and_classes_alike(shelf):
    names = shelf.names()
    assert names == sorted(names) == list(shelf)
    for name in names:
        entry, card = shelf.entry(name), shelf.cards[name]
        assert entry.__name__ == card.class_name
        assert entry.__module__ == card.module
        assert (entry.__doc__ or "").startswith(card.summary)
        assert name in shelf


@pytest.mark.parametrize("shelf", SHELVES, ids=lambda shelf: shelf.label)
def test_every_public_file_of_a_shelf_holds_an_entry(shelf):
    folder = Path(thalweg.__file__).parent.joinpath(*shelf.package.split(".")[1:])
    found = [*folder.glob("[!_]*.py")]
    found += folder.glob("[!_]*/[!_]*.py") if shelf.by_paper else []
    files = {".".join(f.relative_to(folder).with_suffix("").parts) for f in found}
    inside = f"{shelf.package}."
    modules = {card.module.removeprefix(inside) for card in shelf.cards.values()}
    assert files == modules


@pytest.mark.parametrize("shelf", SHELVES, ids=lambda shelf: shelf.label)
def test_files_of_a_shelf_do_not_import_each_other(shelf):
    folder = Path(thalweg.__file__).parent.joinpath(*shelf.package.split(".")[1:])
    files = list(folder.glob("[!_]*.py"))
    for file in files:
        text = file.read_text(encoding="utf-8")
        others = [other.stem for other in files if other != file]
        assert not [o for o in others if f"from {shelf.package}.{o} import" in text]


@pytest.mark.parametrize("shelf", SHELVES, ids=lambda shelf: shelf.label)
def test_a_name_that_is_nearly_right_is_met_with_the_right_one(shelf):
    for name in shelf:
        with pytest.raises(UnknownName, match=f"on the shelf {shelf.label}") as caught:
            shelf.entry(name + "q")
        assert is_a_sentence(caught.value)
        assert "Did you mean '" in str(caught.value)


def test_a_name_far_from_all_is_met_with_the_whole_list():
    with pytest.raises(UnknownName, match="It holds: aligned, balanced") as caught:
        inits.entry("zzzzzz")
    assert is_a_sentence(caught.value)


def test_an_unknown_name_is_a_key_error_that_reads_as_a_sentence():
    with pytest.raises(KeyError) as caught:
        measures.entry("sharpnes")
    assert str(caught.value) == (
        "no entry 'sharpnes' on the shelf measures. Did you mean 'sharpness'?"
    )


def test_what_does_not_stand_on_a_shelf_is_not_in_it():
    assert "balanced" in inits
    assert "balanc" not in inits
    assert 3 not in inits


def test_the_fields_of_an_entry_are_listed():
    assert inits.fields("aligned") == ["target", "strengths", "mix"]
    assert measures.fields("loss") == []


def test_a_field_that_does_not_exist_is_refused():
    with pytest.raises(UnknownName, match="Did you mean 'rounds'"):
        measures.make("sharpness", round=3)
    with pytest.raises(UnknownName, match="It holds: "):
        measures.make("loss", top=3)


def test_a_missing_field_is_named_with_what_there_is():
    with pytest.raises(
        DomainError, match="'explicit' needs weights; its fields are weights"
    ):
        inits.make("explicit")


def test_a_shelf_of_a_folder_that_does_not_exist_is_empty():
    assert Shelf("thalweg.nothing", "AbstractNothing").names() == []
