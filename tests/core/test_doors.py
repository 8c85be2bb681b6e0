"""The doors a user sees, exactly as HOUSE.md shows them, and what is behind them."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import thalweg as tw
from thalweg._core.errors import UnknownName
from tolerances import is_a_sentence


@pytest.fixture
def case():
    target = np.random.default_rng(0).standard_normal((5, 10))
    problem = tw.Problem(
        net=tw.LinearNet((10, 32, 32, 5)), data=tw.Moments.whitened(target)
    )
    weights = tw.init("balanced", std=0.1).draw(jax.random.key(0), problem.net)
    return problem, weights


def test_the_house_example_descends_and_certifies(case, tmp_path):
    problem, weights = case
    path = tw.descend(
        problem,
        weights,
        step_size=1e-2,
        iterations=10_000,
        accuracy=1e-6,
        measures=("loss", "imbalance", "deficiency_margin", "singular_modes"),
    )
    assert path.outcome.converged
    assert path["loss"][-1] <= 1e-6
    assert path["singular_modes"].shape == (path.iterations.size, 5)
    assert set(path.to_xarray().data_vars) >= {"loss", "imbalance", "singular_modes"}
    assert path.rate().kind == "exponential"
    path.save(tmp_path / "run")
    assert tw.Path.load(tmp_path / "run").outcome == path.outcome
    certificate = tw.certify("arora2019.Convergence", problem, weights, step_size=1e-2)
    assert str(certificate.verdict) in ("proved", "refuted", "undecided")
    assert all(h.verdict for h in certificate.hypotheses)
    assert {c.theorem for c in tw.certify_all(problem, weights, step_size=1e-2)} >= {
        "arora2019.Convergence", "chitour2023.Invariance", "flammarion2025.Convergence"
    }  # fmt: skip


def test_the_house_example_ends_in_a_page(case, tmp_path):
    problem, weights = case
    path = tw.descend(problem, weights, step_size=1e-2, iterations=300)
    certificate = tw.certify("arora2019.Convergence", problem, weights, step_size=1e-2)
    tw.page(path, certificate).save(tmp_path / "run.html")
    assert "<html" in (tmp_path / "run.html").read_text(encoding="utf-8").lower()


def test_moments_come_from_samples_or_by_name():
    rng = np.random.default_rng(0)
    inputs, labels = rng.standard_normal((20, 10)), rng.standard_normal((20, 5))
    for data in (tw.Moments.from_data(inputs, labels), tw.load("diabetes")):
        widths = data.inputs_width, 32, data.outputs_width
        assert tw.Problem(net=tw.LinearNet(widths), data=data).net.depth == 2


@pytest.mark.parametrize("name", tw.__all__)
def test_every_name_at_the_door_leads_somewhere(name):
    assert getattr(tw, name) is not None
    assert name in dir(tw)


def test_what_type_checkers_see_is_what_is_loaded():
    tree = ast.parse(Path(tw.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name: node.module.removeprefix("thalweg.")
        for node in block.body
        for alias in node.names
    }
    assert seen == tw._DOORS


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'descent'"):
        _ = tw.descent


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_importing_the_package_imports_no_jax():
    code = (
        "import sys, thalweg; from thalweg.measures import shelf; shelf.names(); "
        "from thalweg.theorems import shelf; shelf.names(); "
        "heavy = 'jax', 'numpy', 'matplotlib', 'sklearn'; "
        "print([m for m in heavy if m in sys.modules])"
    )
    assert run(code) == "[]"


def test_the_first_array_is_already_float64():
    code = (
        "import thalweg as tw, numpy as np; "
        "m = tw.Moments.whitened(np.eye(2)); import jax.numpy as jnp; "
        "print(m.target.dtype, jnp.ones(1).dtype)"
    )
    assert run(code) == "float64 float64"


WRONG = {
    "a width of 2.5": "tw.LinearNet((2.5, 2))",
    "a width that is NaN": "tw.LinearNet((float('nan'), 2))",
    "widths as text": "tw.LinearNet('ab')",
    "no step size": "run(step_size=None)",
    "a step size as text": "run(step_size='big')",
    "half an iteration": "run(iterations=2.5)",
    "iterations that are NaN": "run(iterations=float('nan'))",
    "iterations without end": "run(iterations=float('inf'))",
    "iterations as text": "run(iterations='many')",
    "an accuracy as text": "run(accuracy='high')",
    "a momentum as text": "run(momentum='much')",
    "a record between iterations": "run(at=[1.5])",
    "every two and a half": "run(every=2.5)",
    "a number as a measure": "run(measures=[3])",
    "no weights": "tw.descend(toy, None, step_size=0.1, iterations=3)",
    "weights of a net that are none": "tw.classify(net, None)",
    "weights that are a number": "tw.descend(net, 3.0, step_size=0.1, iterations=3)",
    "a net that is no net": "tw.count_laws(3)",
    "a rank as text": "tw.critical_points(net, rank='one')",
    "no runs": "tw.basins(net, runs=0)",
    "half an eigenvalue": "tw.hessian_spectrum(net, [[[1, 0], [0, 1]]], top=0.5)",
    "a landscape of a number": "tw.strata(3)",
    "weights as text": "tw.descend(toy, ['a', 'b'], step_size=0.1, iterations=3)",
    "ragged weights": "tw.descend(net, [[[1, 2], [3]]], step_size=0.1, iterations=3)",
    "half a factor": "tw.Playground(1.5)",
    "a std as text": "tw.init('gaussian', std='big')",
    "weights that are none": "tw.init('explicit', weights=3).draw(None, net.net)",
    "a horizon as text": "tw.flow(toy, [0.5, 0.5], horizon='far')",
    "a fraction of eigenvalues": "run(measures=[tw.measure('sharpness', top=1.5)])",
}
"""Calls with values of the wrong kind, as a user without type checking makes them."""

ATTEMPTS = """
import json, sys
import thalweg as tw
from thalweg._core.errors import ThalwegError
toy = tw.Playground(2)
net = tw.Problem(tw.LinearNet((2, 2)), tw.Moments.whitened([[1.0, 0.0], [0.0, 1.0]]))
def run(**fields):
    return tw.descend(toy, [0.5, 0.5], **{"step_size": 0.1, "iterations": 9, **fields})
told = {}
for name, code in json.loads(sys.argv[1]).items():
    try:
        eval(code)
        told[name] = ["nothing", ""]
    except Exception as error:
        kind = "ours" if isinstance(error, ThalwegError) else type(error).__name__
        told[name] = [kind, str(error)]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def attempts():
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ATTEMPTS, json.dumps(WRONG)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(told.stdout)


@pytest.mark.parametrize("name", WRONG)
def test_a_value_of_the_wrong_kind_is_met_with_one_sentence(attempts, name):
    kind, message = attempts[name]
    assert kind == "ours", f"{kind}: {message}"
    assert is_a_sentence(message)


@pytest.mark.parametrize(
    ("door", "typo", "meant"),
    [
        (tw.init, "balancd", "balanced"),
        (tw.measure, "sharpnes", "sharpness"),
        (tw.theorem, "flammarion25.convergence", "flammarion2025.Convergence"),
        (tw.theorem, "arora19.Convergence", "arora2019.Convergence"),
        (tw.dataset, "diabets", "diabetes"),
    ],
)
def test_a_typo_at_a_door_is_met_with_a_suggestion(door, typo, meant):
    with pytest.raises(UnknownName, match=f"Did you mean '{meant}'") as caught:
        door(typo)
    assert is_a_sentence(caught.value)


def test_the_message_of_a_typo_is_that_of_the_style_guide():
    with pytest.raises(UnknownName, match="flammarion25") as caught:
        tw.theorem("flammarion25.convergence")
    assert str(caught.value) == (
        "no entry 'flammarion25.convergence' on the shelf theorems. "
        "Did you mean 'flammarion2025.Convergence'?"
    )


@pytest.mark.parametrize(
    "spelling", ["lambda-balanced", "LAMBDA_BALANCED", "lambda_balanced"]
)
def test_names_may_be_spelled_with_dashes_or_capitals(spelling):
    assert type(tw.init(spelling)).__name__ == "LambdaBalanced"


@pytest.mark.parametrize(
    ("door", "name", "fields"),
    [
        (tw.init, "gaussian", {"std": 0.5}),
        (tw.measure, "sharpness", {"top": 3}),
        (tw.theorem, "arora2019.RandomBalancedStart", {"std": 0.1}),
    ],
)
def test_a_door_sets_the_fields(door, name, fields):
    made = door(name, **fields)
    assert {field: getattr(made, field) for field in fields} == fields


def test_what_is_behind_a_door_is_frozen():
    with pytest.raises(AttributeError, match="cannot assign"):
        tw.measure("sharpness").top = 2
