"""The independent checker: honest files pass, every tampered one is refused."""

import ast
import copy
import hashlib
import json
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import thalweg as tw
from thalweg import checker
from thalweg.checker import verify
from thalweg.checker._theorems import THEOREMS
from thalweg.theorems import shelf

FOLDER = Path(checker.__file__).parent
PARTS = ("problem", "start", "step_size", "hypotheses", "promise")
KNOWN = [name for name in shelf if name in THEOREMS]


def digests(members):
    told = {part: members[part] for part in PARTS}
    told["rest"] = {k: v for k, v in members.items() if k not in (*PARTS, "digests")}
    return {
        name: hashlib.sha256(
            json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        ).hexdigest()
        for name, value in told.items()
    }


def written(file, members, *, redigested=True):
    """Write members to a file, with the digests of a careful forger."""
    if redigested:
        members = {**members, "digests": digests(members)}
    file.write_text(json.dumps(members))
    return file


def leaves(value, at=()):
    """Yield the place of every leaf."""
    if isinstance(value, (dict, list)) and value:
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inside in inner:
            yield from leaves(inside, (*at, key))
    else:
        yield at


def changed(members, at, value):
    """Return a copy with another value at a place."""
    copied = copy.deepcopy(members)
    inner = copied
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return copied


def number(members, at):
    for key in at:
        members = members[key]
    return float.fromhex(members)


def certificates(name, radius=0.0):
    theorem = shelf.make(name)
    fields = {key: getattr(theorem, key) for key in shelf.fields(name)}
    for example in theorem.witnesses():
        if not isinstance(example.problem, tw.Problem | tw.Playground):
            continue
        yield tw.certify(
            name,
            example.problem,
            example.start,
            step_size=example.step_size,
            radius=radius,
            **fields,
        )


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """Return the members of the first witness's file of a theorem."""
    folder, kept = tmp_path_factory.mktemp("honest"), {}

    def members(name):
        if name not in kept:
            certificate = next(certificates(name))
            kept[name] = json.loads(
                certificate.save(folder / f"{name}.json").read_text()
            )
        return copy.deepcopy(kept[name])

    return members


@pytest.mark.parametrize("name", KNOWN)
def test_every_witness_of_a_known_theorem_is_verified(name, tmp_path):
    for i, certificate in enumerate(certificates(name)):
        found = verify(certificate.save(tmp_path / f"{i}.json"))
        assert found.failure is None
        assert found.ok
        assert found.theorem == name


def test_the_checker_knows_what_stands_on_the_shelf():
    assert set(THEOREMS) <= set(shelf)


def test_a_wide_deep_certificate_at_its_safe_step_is_verified(tmp_path):
    rng = np.random.default_rng(3)
    left, right = (np.linalg.qr(rng.normal(size=(8, 8)))[0] for _ in range(2))
    target = left * np.linspace(1, 2, 8) @ right
    problem = tw.Problem(
        net=tw.LinearNet((8, 150, 150, 8)), data=tw.Moments.whitened(target)
    )
    roots = np.linspace(1, 2, 8) ** (1 / 3) * 0.99
    first, middle, last = np.zeros((150, 8)), np.zeros((150, 150)), np.zeros((8, 150))
    first[:8], middle[:8, :8] = roots[:, None] * right, np.diag(roots)
    last[:, :8] = left * roots
    start = (first, middle, last)
    certificate = tw.certify("arora2019.Convergence", problem, start)
    assert certificate.save(tmp_path / "wide.json").with_suffix(".bin").exists()
    assert verify(tmp_path / "wide.json").failure is None


def test_another_accuracy_and_a_smaller_step_are_verified(tmp_path):
    problem = tw.Playground(depth=40)
    for step in (None, 1e-3):
        certificate = tw.certify(
            "playground.SharpConvergence",
            problem,
            np.full(40, 0.5),
            step_size=step,
            accuracy=1e-9,
        )
        assert verify(certificate.save(tmp_path / "file.json")).failure is None


@pytest.mark.parametrize("radius", [1e-13, 1e-8])
@pytest.mark.parametrize(
    "name", ["arora2019.Convergence", "local.Local", "playground.SharpConvergence"]
)
def test_a_start_known_up_to_a_radius_is_verified(name, radius, tmp_path):
    example = next(shelf.make(name).witnesses())
    certificate = tw.certify(name, example.problem, example.start, radius=radius)
    file = certificate.save(tmp_path / "file.json")
    assert verify(file).failure is None
    wider = changed(json.loads(file.read_text()), ("radius",), (0.3).hex())
    assert not verify(written(file, wider)).ok


WIDE = (
    "chitour2023.Boundedness",
    "chitour2023.ExponentialRate",
    "divergence.OneLayerDivergence",
    "du2018.NeuronNorms",
    "flammarion2025.HessianBound",
    "flammarion2025.ProductsOverSubsets",
    "local.LocalFlow",
    "margin.MarginFlow",
    "xu2023.TwoLayerFlow",
)


@pytest.mark.parametrize("radius", [1e-8, 1e-4])
@pytest.mark.parametrize("name", WIDE)
def test_what_is_proved_up_to_a_radius_is_verified(name, radius, tmp_path):
    checked = 0
    for certificate in certificates(name, radius=radius):
        if certificate.verdict == "proved":
            found = verify(certificate.save(tmp_path / "file.json"))
            assert found.failure is None
            checked += 1
    assert checked


def test_a_rate_is_not_lost_to_wide_balls(tmp_path):
    target = tw.Moments.whitened([[-1.0]])
    problem = tw.Problem(net=tw.LinearNet((1, 3, 1)), data=target)
    start = (np.array([[0.2], [0.1], [0.0]]), np.array([[3.0, 1.0, 1.0]]))
    for radius in (1e-6, 1e-3):
        certificate = tw.certify("xu2023.TwoLayerFlow", problem, start, radius=radius)
        assert verify(certificate.save(tmp_path / "file.json")).failure is None


FORGERIES = [
    (
        "arora2019.RandomBalancedStart",
        ("fields", "std"),
        lambda x: -x,
        "fields.std",
    ),
    ("flammarion2025.Convergence", ("step_size",), lambda x: 1.5 * x, "cannot prove"),
    (
        "flammarion2025.Convergence",
        ("promise", "factor"),
        lambda x: x - 1e-12,
        "follow",
    ),
    ("flammarion2025.Convergence", ("promise", "rate"), lambda x: x * 1.001, "follow"),
    ("flammarion2025.Convergence", ("promise", "promised"), lambda x: x - 1, "follow"),
    ("flammarion2025.Convergence", ("accuracy",), lambda x: x / 2, "follow"),
    ("flammarion2025.Convergence", ("radius",), lambda x: 1.0, "cannot prove"),
    (
        "flammarion2025.Convergence",
        ("start", "layers", 0, 0, 0),
        lambda x: -x,
        "'x > 0': the checker cannot prove",
    ),
    (
        "flammarion2025.Convergence",
        ("start", "layers", 0, 0, 0),
        lambda x: 9 * x,
        "'prod x < 1': the checker cannot prove",
    ),
    (
        "flammarion2025.AboveTheHyperbola",
        ("promise", "factor"),
        lambda x: x - 1e-9,
        "follow",
    ),
    ("flammarion2025.AboveTheHyperbola", ("step_size",), lambda x: 2 * x, "prove"),
    ("flammarion2025.EqualMagnitudes", ("promise", "floor"), lambda x: 0.51, "follow"),
    (
        "flammarion2025.EqualMagnitudes",
        ("start", "layers", 0, 0, 0),
        lambda x: np.nextafter(x, 0),
        "equal",
    ),
    ("playground.SharpConvergence", ("promise", "promised"), lambda x: x - 1, "follow"),
    ("playground.SharpConvergence", ("step_size",), lambda x: 4 * x, "prove"),
    ("arora2019.Convergence", ("step_size",), lambda x: 1.0001 * x, "prove"),
    ("arora2019.Convergence", ("promise", "promised"), lambda x: x - 1, "follow"),
    ("arora2019.Convergence", ("promise", "factor"), lambda x: x - 1e-12, "follow"),
    (
        "arora2019.Convergence",
        ("start", "layers", 0, 0, 0),
        lambda x: x + 1e-3,
        "hypotheses[2]",
    ),
    (
        "arora2019.Convergence",
        ("problem", "labels_factor", 0, 0),
        lambda x: -x,
        "prove",
    ),
    (
        "arora2019.RandomBalancedStart",
        ("promise", "probability"),
        lambda x: x + 1e-12,
        "follow",
    ),
    (
        "arora2019.RandomBalancedStart",
        ("fields", "std"),
        lambda x: x / 2,
        "hypotheses[4]",
    ),
    (
        "arora2019.RandomBalancedStart",
        ("promise", "promised"),
        lambda x: x * (1 - 1e-12),
        "follow",
    ),
    ("arora2019.MarginNeeded", ("promise", "floor"), lambda x: x + 1e-12, "follow"),
    (
        "arora2019.MarginNeeded",
        ("start", "layers", 0, 0, 1),
        lambda x: x + 1e-12,
        "symmetric matrix",
    ),
    (
        "bartlett2018.PositiveDefinite",
        ("promise", "promised"),
        lambda x: x // 2,
        "follow",
    ),
    ("bartlett2018.PositiveDefinite", ("step_size",), lambda x: 1.1 * x, "prove"),
    (
        "bartlett2018.NegativeEigenvalue",
        ("promise", "floor"),
        lambda x: x + 1e-12,
        "follow",
    ),
    ("local.Local", ("promise", "promised"), lambda x: x - 1, "follow"),
    ("local.Local", ("promise", "factor"), lambda x: x - 1e-9, "follow"),
    (
        "local.Local",
        ("promise", "values", "radius R", 1),
        lambda x: x * 2,
        "promise",
    ),
    ("local.Local", ("promise", "values", "final gain", 1), lambda x: 0.5, "follow"),
    ("local.PathIntegrated", ("step_size",), lambda x: 8 * x, "hypotheses"),
    ("local.PathIntegrated", ("promise", "promised"), lambda x: x - 3, "follow"),
    ("margin.Margin", ("step_size",), lambda x: 8 * x, "hypotheses"),
    ("margin.Margin", ("promise", "promised"), lambda x: x - 1, "follow"),
    (
        "margin.Margin",
        ("promise", "values", "imbalance delta", 0),
        lambda x: x / 2,
        "cannot prove",
    ),
    ("critical.CriticalPoint", ("step_size",), lambda x: 8 * x, "hypotheses"),
    ("xu2023.TwoLayerFlow", ("promise", "rate"), lambda x: x * 1.000001, "follow"),
    ("chitour2023.ExponentialRate", ("promise", "rate"), lambda x: x + 1e-9, "follow"),
    (
        "chitour2023.ExponentialRate",
        ("promise", "promised"),
        lambda x: x * (1 - 1e-9),
        "follow",
    ),
    ("bartlett2018.NearIdentity", ("step_size",), lambda x: 1.0001 * x, "prove"),
    (
        "bartlett2018.NearIdentity",
        ("promise", "factor"),
        lambda x: x - 1e-12,
        "follow",
    ),
    (
        "arora2019.FlowConvergence",
        ("start", "layers", 0, 0, 0),
        lambda x: np.nextafter(x, 2),
        "hypotheses",
    ),
    ("arora2019.FlowConvergence", ("promise", "rate"), lambda x: 2 * x, "follow"),
    (
        "arora2019.BalanceNeeded",
        ("promise", "floor"),
        lambda x: x + 1e-12,
        "follow",
    ),
    (
        "arora2019.BalanceNeeded",
        ("start", "layers", 1, 0, 0),
        lambda x: 20 / x,
        "hypotheses",
    ),
    (
        "playground.ConvergenceFromAbove",
        ("promise", "factor"),
        lambda x: x - 1e-9,
        "follow",
    ),
    ("playground.ConvergenceFromAbove", ("step_size",), lambda x: 2 * x, "prove"),
    ("playground.BelowZero", ("step_size",), lambda x: 1.001 * x, "prove"),
    ("playground.BelowZero", ("promise", "floor"), lambda x: 0.51, "follow"),
    (
        "playground.BelowZero",
        ("start", "layers", 0, 0, 0),
        lambda x: np.nextafter(x, 0),
        "attained at least twice",
    ),
    ("margin.MarginFlow", ("promise", "rate"), lambda x: x + 1e-9, "follow"),
    ("margin.MarginFlow", ("promise", "promised"), lambda x: 0.99 * x, "follow"),
    (
        "margin.MarginFlow",
        ("start", "layers", 0, 0, 0),
        lambda x: x + 1e-3,
        "imbalance delta",
    ),
    ("local.LocalFlow", ("promise", "rate"), lambda x: x + 1e-9, "follow"),
    ("local.LocalFlow", ("promise", "values", "radius R", 0), lambda x: 0.0, "prove"),
    ("divergence.OneLayerDivergence", ("step_size",), lambda x: x / 4, "prove"),
    (
        "divergence.OneLayerDivergence",
        ("promise", "floor"),
        lambda x: x + 1e-9,
        "follow",
    ),
    ("divergence.Divergence", ("step_size",), lambda x: x / 40, "prove"),
    ("divergence.Divergence", ("promise", "floor"), lambda x: x + 1e-9, "follow"),
    (
        "du2018.NeuronNorms",
        ("promise", "values", "neuron 1 of layer 1", 1),
        lambda x: x - 1e-9,
        "promise",
    ),
    (
        "du2018.NeuronNorms",
        ("start", "layers", 1, 0, 0),
        lambda x: x + 1e-9,
        "neuron 1 of layer 1",
    ),
    ("flammarion2025.IteratesConverge", ("step_size",), lambda x: 1.5 * x, "prove"),
    (
        "flammarion2025.IteratesConverge",
        ("promise", "values", "length", 1),
        lambda x: x / 2,
        "promise",
    ),
    (
        "flammarion2025.BalancedIterates",
        ("start", "layers", 2, 0, 0),
        lambda x: 9 * x,
        "'prod x <= 1': the checker cannot prove",
    ),
    (
        "flammarion2025.ProductsOverSubsets",
        ("start", "layers", 0, 0, 0),
        lambda x: x / 2,
        "the claimed interval misses",
    ),
    (
        "flammarion2025.HessianBound",
        ("start", "layers", 0, 0, 0),
        lambda x: x * (1 + 1e-9),
        "the claimed interval misses",
    ),
    (
        "flammarion2025.SmoothnessAlongTheStep",
        ("step_size",),
        lambda x: 1.0001 * x,
        "prove",
    ),
    (
        "chitour2023.Boundedness",
        ("promise", "values", "bound", 1),
        lambda x: x * (1 - 1e-9),
        "promise",
    ),
    (
        "chitour2023.Boundedness",
        ("problem", "labels_factor", 0, 0),
        lambda x: 2 * x,
        "does not follow",
    ),
    ("xu2023.TwoLayerDescent", ("step_size",), lambda x: 1.0001 * x, "hypotheses[3]"),
    ("xu2023.TwoLayerDescent", ("promise", "factor"), lambda x: x - 1e-9, "follow"),
    ("xu2023.TwoLayerDescent", ("promise", "promised"), lambda x: x - 1, "follow"),
    ("xu2023.TwoLayerDescent", ("fields", "c1"), lambda x: 1.5 * x, "hypotheses[3]"),
    ("saxe2014.StabilityLimit", ("step_size",), lambda x: 0.99 * x, "prove"),
    (
        "saxe2014.StabilityLimit",
        ("promise", "values", "largest stable step", 1),
        lambda x: 0.99 * x,
        "promise",
    ),
]


@pytest.mark.parametrize(("name", "at", "forge", "failure"), FORGERIES)
def test_a_claim_made_false_with_right_digests_is_refused(
    name, at, forge, failure, honest, tmp_path
):
    members = honest(name)
    forged = changed(members, at, float(forge(number(members, at))).hex())
    found = verify(written(tmp_path / "file.json", forged))
    assert not found.ok
    assert failure in found.failure


@pytest.mark.parametrize("name", KNOWN)
def test_a_moved_or_missing_hypothesis_is_refused(name, honest, tmp_path):
    members = honest(name)
    last = list(enumerate(members["hypotheses"]))[-2:]
    for i, claim in last:
        at = ("hypotheses", i)
        rest = [h for h in members["hypotheses"] if h is not claim]
        forged = [
            changed(members, ("hypotheses",), rest),
            changed(members, ("hypotheses",), [*members["hypotheses"], claim]),
            changed(members, (*at, "name"), claim["name"] + "'"),
            changed(members, (*at, "verdict"), "undecided"),
            changed(members, (*at, "strict"), not claim["strict"]),
        ]
        if claim["slack"] is None:
            forged.append(changed(members, (*at, "slack"), [(1.0).hex()] * 2))
        else:
            high = float.fromhex(claim["slack"][1]) * 2 + 1.0
            forged += [
                changed(members, (*at, "slack"), value)
                for value in (None, [high.hex()] * 2, [(-1.0).hex(), high.hex()])
            ]
        for other in forged:
            assert not verify(written(tmp_path / "file.json", other)).ok


def test_every_flipped_bit_is_refused(honest, tmp_path):
    members = honest("flammarion2025.EqualMagnitudes")
    file = written(tmp_path / "file.json", members)
    assert verify(file).ok
    whole = file.read_bytes()
    for i in range(len(whole)):
        flipped = bytearray(whole)
        flipped[i] ^= 1 << (5 * i % 8)
        file.write_bytes(flipped)
        assert not verify(file).ok, i


@pytest.mark.parametrize("name", KNOWN)
def test_every_changed_leaf_is_refused(name, honest, tmp_path):
    members, file = honest(name), tmp_path / "file.json"
    for at in leaves(members):
        inner = members
        for key in at:
            inner = inner[key]
        other = inner + "0" if isinstance(inner, str) else 7
        forged = changed(members, at, other)
        assert not verify(written(file, forged, redigested=False)).ok, at


def test_the_failure_names_the_member_that_was_changed(honest, tmp_path):
    members = honest("flammarion2025.Convergence")
    for at, name in (
        (("step_size",), "step_size"),
        (("promise", "statement"), "promise"),
        (("accuracy",), "rest"),
        (("start", "layers", 0, 0, 0), "start"),
    ):
        forged = changed(members, at, "0x1p-3")
        found = verify(written(tmp_path / "file.json", forged, redigested=False))
        assert found.failure == f"{name}: it was changed, its SHA-256 is another."


@pytest.fixture
def with_array(honest, tmp_path):
    """Return a file whose start lies beside it."""
    members = honest("flammarion2025.Convergence")
    layers = members["start"]["layers"]
    data = b"".join(struct.pack("<d", float.fromhex(w[0][0])) for w in layers)
    (tmp_path / "file.bin").write_bytes(data)
    members["start"] = {
        "shapes": [[1, 1]] * len(layers),
        "file": "file.bin",
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return written(tmp_path / "file.json", members), members


def test_a_start_beside_the_file_is_read(with_array):
    assert verify(with_array[0]).failure is None


def test_every_flipped_bit_of_the_array_is_refused(with_array):
    beside = with_array[0].with_suffix(".bin")
    data = beside.read_bytes()
    for i in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[i // 8] ^= 1 << i % 8
        beside.write_bytes(flipped)
        assert "SHA-256" in verify(with_array[0]).failure


def test_an_array_of_another_length_or_place_is_refused(with_array, tmp_path):
    file, members = with_array
    beside = file.with_suffix(".bin")
    data = beside.read_bytes()
    beside.write_bytes(data + b"\0")
    assert "another length" in verify(file).failure
    beside.unlink()
    assert "missing" in verify(file).failure
    for name in ("../file.bin", "/etc/passwd", "", ".", "a\0b"):
        forged = changed(members, ("start", "file"), name)
        assert not verify(written(file, forged)).ok
    nan = struct.pack("<d", float("nan")) * (len(data) // 8)
    beside.write_bytes(nan)
    told = changed(members, ("start", "sha256"), hashlib.sha256(nan).hexdigest())
    assert "not finite" in verify(written(file, told)).failure


ODD = [
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    "",
    "nan",
    "inf",
    "-inf",
    "0x1p5000",
    "1.0",
    " 0x1.0p+0",
    "text",
    [],
    {},
    [[]],
    [None],
    [["0x1.0000000000000p+0"]],
    {"layers": []},
    {"": 1},
]
ANY_STEP = ("flammarion2025.EqualMagnitudes", "arora2019.MarginNeeded")
FREE = {("promise", "statement")}
"""Words are not checked."""


@pytest.mark.parametrize("name", KNOWN)
def test_odd_values_are_refused_in_a_sentence(name, honest, tmp_path):
    members, file = honest(name), tmp_path / "file.json"
    rng = random.Random(name)
    places = sorted(
        {at[:k] for at in leaves(members) for k in range(1, len(at) + 1)}, key=str
    )
    for at in places if len(places) < 60 else rng.sample(places, 60):
        if at[0] == "digests" or (name in ANY_STEP and at == ("step_size",)):
            continue
        inner = members
        for key in at:
            inner = inner[key]
        for odd in rng.sample(ODD, 3):
            if odd == inner or at in FREE or weaker(at, odd):
                continue
            found = verify(written(file, changed(members, at, odd)))
            assert not found.ok, (at, odd)
            assert found.failure.endswith(".")


def weaker(at, odd):
    """Return whether a claim so changed says less, and so may still be true."""
    numbers = ("promised", "factor", "rate", "floor", "probability")
    if at[0] == "promise" and at[-1] in numbers and odd in (None, "inf", "-inf"):
        return True
    if at == ("promise", "values") and odd == {}:
        return True
    ends = at[0] in ("hypotheses", "promise") and at[-1] in (0, 1)
    return ends and odd in ("inf", "-inf")


def test_truncated_and_random_files_are_refused(honest, tmp_path):
    whole = written(tmp_path / "a.json", honest("arora2019.Convergence")).read_bytes()
    file, rng = tmp_path / "file.json", random.Random(1)
    for length in range(0, len(whole), 23):
        file.write_bytes(whole[:length])
        assert "not whole JSON" in verify(file).failure
    for _ in range(100):
        file.write_bytes(rng.randbytes(rng.randrange(200)))
        assert not verify(file).ok
    for _ in range(100):
        mixed = bytearray(whole)
        for _ in range(rng.randrange(1, 5)):
            i, j = sorted(rng.sample(range(len(mixed)), 2))
            mixed[i:j] = mixed[i:j][:: rng.choice((-1, 2))]
        file.write_bytes(mixed)
        assert bytes(mixed) == whole or not verify(file).ok


def test_what_is_no_certificate_is_refused(honest, tmp_path):
    file, members = tmp_path / "file.json", honest("flammarion2025.Convergence")
    for text, said in (
        ("[" * 100_000, "nested too deeply"),
        ('{"format": NaN}', "no number"),
        ('{"format": 1, "format": 1}', "twice"),
        ("[]", "named members"),
        ("{}", "format"),
    ):
        file.write_text(text)
        assert said in verify(file).failure
    assert "not there" in verify(tmp_path / "nowhere").failure
    assert "not there" in verify(tmp_path).failure
    for at, value, said in (
        (("version",), 2, "version"),
        (("version",), True, "version"),
        (("format",), "another", "format"),
        (("verdict",), "refuted", "verdict"),
        (("theorem",), "nobody1900.Nothing", "knows no theorem"),
        (("problem", "depth"), 10**9, "absurdly deep"),
        (("problem", "kind"), "a riddle", "no such problem"),
        (("more",), 1, "unknown"),
        (("fields", "std"), "0x1.0000000000000p+0", "fields"),
        (("promise", "clock"), "flow time", "clock"),
        (("promise", "values", "beauty"), ["0x0.0p+0"] * 2, "no such number"),
    ):
        found = verify(written(file, changed(members, at, value)))
        assert said in found.failure
        assert found.to_json()["ok"] is False


def test_absurd_sizes_are_refused_before_they_cost(honest, tmp_path):
    members = honest("arora2019.Convergence")
    forged = changed(members, ("problem", "widths"), [10**5] * 3)
    assert "absurdly large" in verify(written(tmp_path / "f.json", forged)).failure
    shapes = {"shapes": [[10**5, 10**5]], "file": "f.bin", "sha256": ""}
    forged = changed(members, ("start",), shapes)
    assert "absurdly large" in verify(written(tmp_path / "f.json", forged)).failure


def test_it_runs_alone(honest, tmp_path):
    file = written(tmp_path / "file.json", honest("arora2019.Convergence"))
    alone = shutil.copytree(FOLDER, tmp_path / "second_opinion")
    command = [sys.executable, "-I", str(alone), str(file)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0
    assert "promise.promised" in run.stdout
    file.write_text("{}")
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "format" in run.stderr


def test_it_needs_only_the_standard_library_and_flint():
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [] if node.level else [node.module]
            else:
                continue
            roots = {name.partition(".")[0] for name in names}
            assert roots <= {*sys.stdlib_module_names, "flint"}
