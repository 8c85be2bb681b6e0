"""The kind of a critical point, against the signs of its Hessian."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from saddles import drawn, excess, hessian
from thalweg._core.errors import DomainError
from thalweg.landscape._saddles.cases import SourceCase
from thalweg.landscape.kinds import Kind
from thalweg.landscape.strictness import by_cases, classify
from tolerances import is_a_sentence

SEEDS = st.integers(0, 2**32 - 1)
WIDTHS = [(3,), (2, 3), (3, 4, 2), (3, 2, 3), (4, 3, 3, 2), (2, 3, 3, 4), (3, 3, 3, 3)]
WIDTHS += [(3, 1, 3, 3), (3, 3, 4, 3, 3), (2, 3, 3, 3, 4), (3, 3, 3, 3, 3, 3)]
WIDTHS = [w for w in WIDTHS if len(w) > 1]
SPECTRA = ["apart", "equal", "deficient", "pairs"]


def spectrum(rng, kind, size):
    values = np.sort(rng.uniform(0.7, 3, size))[::-1]
    if kind == "equal":
        values[:] = values[0]
    if kind == "deficient":
        values[max(1, size // 2) :] = 0
    if kind == "pairs":
        values[1::2] = values[: 2 * (size // 2) : 2]
    return values


def point(seed, widths, kind, white):
    """A critical point, and the singular values it has learnt."""
    rng = np.random.default_rng(seed)
    values = spectrum(rng, kind, min(widths[0], widths[-1]))
    known = [i for i, value in enumerate(values) if value]
    most = min(len(known), *widths)
    size = int(rng.integers(most + 1)) if len(widths) > 2 else len(known)
    chosen = sorted(rng.permutation(known)[:size]) if rng.random() < 0.4 else known
    learnt = [int(i) for i in chosen[:size]]
    problem, weights = drawn(seed, widths, values, learnt, white=white)
    return problem, weights, values, learnt


def truth(problem, weights):
    """The kind, by the Hessian's signs and the loss."""
    signs = np.linalg.eigvalsh(hessian(problem, weights))
    # Eigenvalues of these nets are known to some ten units of rounding of the largest.
    if signs[0] < -1e-11 * max(1.0, signs[-1]):
        return Kind.STRICT_SADDLE
    above = excess(problem, weights) - float(problem.infimum)
    return Kind.GLOBAL_MINIMUM if above < 1e-11 else Kind.NON_STRICT_SADDLE


CASES = {
    "seed": SEEDS,
    "widths": st.sampled_from(WIDTHS),
    "kind": st.sampled_from(SPECTRA),
    "white": st.booleans(),
}


@given(**CASES)
@settings(max_examples=200)
def test_the_kind_is_that_of_the_hessians_signs(seed, widths, kind, white):
    problem, weights, values, learnt = point(seed, widths, kind, white)
    found = classify(problem, weights)
    assert found.kind is truth(problem, weights)
    left = np.delete(values, learnt)
    assert found.value == pytest.approx(0.5 * np.sum(left**2), abs=1e-11)
    above = excess(problem, weights) - float(problem.infimum)
    assert found.excess_loss == pytest.approx(above, abs=1e-11)
    named = values[[mode - 1 for mode in found.modes]]
    np.testing.assert_allclose(np.sort(named), np.sort(values[learnt]), rtol=1e-11)
    if found.kind is not Kind.GLOBAL_MINIMUM:
        is_prefix = np.allclose(values[: len(learnt)], np.sort(values[learnt])[::-1])
        flat = is_prefix and found.is_tightened
        assert flat == (found.kind is Kind.NON_STRICT_SADDLE)


@given(**{**CASES, "widths": st.sampled_from([(3, 4, 2), (4, 3, 3, 2), (2, 3, 3, 4)])})
@settings(max_examples=150)
def test_the_sources_cases_come_to_the_same(seed, widths, kind, white):
    problem, weights, values, _ = point(seed, widths, kind, white)
    if len(set(values)) < len(values) or not values.all():
        with pytest.raises(DomainError, match="the source's cases need labels of"):
            by_cases(problem, weights)
        return
    case = by_cases(problem, weights)
    assert case.kind is truth(problem, weights)
    assert classify(problem, weights).case == case


@given(seed=SEEDS, widths=st.sampled_from(WIDTHS[2:]))
@settings(max_examples=40)
def test_hidden_changes_of_basis_do_not_change_the_verdict(seed, widths):
    problem, weights, *_ = point(seed, widths, "apart", True)
    rng = np.random.default_rng(seed + 1)
    turned = [np.asarray(w) for w in weights]
    for place, width in enumerate(widths[1:-1]):
        turn = np.linalg.qr(rng.standard_normal((width, width)))[0]
        scale = rng.uniform(0.5, 2, width)
        turned[place] = scale[:, None] * (turn @ turned[place])
        turned[place + 1] = turned[place + 1] @ turn.T / scale
    found, again = classify(problem, weights), classify(problem, tuple(turned))
    same = ("kind", "modes", "rank", "inner_rank", "is_tightened", "case", "pivots")
    assert all(getattr(found, name) == getattr(again, name) for name in same)


ROOT = 2 ** (1 / 3)


def square(values):
    data = tw.Moments.whitened(np.diag(np.asarray(values, float)))
    return tw.Problem(tw.LinearNet((2,) * 4), data)


@pytest.mark.parametrize(
    ("chain", "kind", "value", "case"),
    [
        (((0, 0), (0, 0), (0, 0)), "non-strict saddle", 2.5, "H=2 case 1.2"),
        (((1, 1), (0, 0), (0, 0)), "strict saddle", 2.5, "H=2 case 1.1a"),
        (((0, 0), (1, 1), (0, 0)), "strict saddle", 2.5, "r_Z > r"),
        (((0, 0), (0, 0), (1, 1)), "strict saddle", 2.5, "H=2 case 1.1b"),
        (((ROOT, 0),) * 3, "non-strict saddle", 0.5, "H=2 case 2.2, Remark 3"),
        (((1, 0), (1, 1), (2, 0)), "strict saddle", 0.5, "r_Z > r"),
        (((1, 1), (1, 0), (2, 0)), "strict saddle", 0.5, "H=2 case 2.1"),
        (((0, 1),) * 3, "strict saddle", 2.0, "H=2 case 2.2, wrong modes"),
        (((ROOT, 1),) * 3, "global minimum", 0.0, "global minimum"),
    ],
    ids=str,
)
def test_the_hand_sized_saddles(chain, kind, value, case):
    # MATH F.1.
    weights = tuple(np.diag(np.asarray(layer, float)) for layer in chain)
    found = classify(square((2, 1)), weights)
    assert (found.kind, found.case) == (kind, case)
    assert found.value == pytest.approx(value, abs=1e-14)
    assert is_a_sentence(found.reason)
    assert found.gap > 1e6
    assert not found.caveats


def test_equal_modes_are_a_choice_and_said_so():
    weights = (np.diag([0.0, 2.0]), np.diag([0.0, 1.0]), np.diag([0.0, 1.0]))
    found = classify(square((2, 2)), weights)
    assert found.kind is Kind.NON_STRICT_SADDLE
    assert found.modes == (1,)
    assert "the modes [1, 2] count as equal" in found.caveats[0]


def test_any_direction_among_equal_modes_is_learnt_alike():
    turn = np.array([[0.6], [0.8]])
    weights = (2 * turn @ turn.T, turn @ turn.T, turn @ turn.T)
    found = classify(square((2, 2)), weights)
    assert (found.kind, found.modes) == (Kind.NON_STRICT_SADDLE, (1,))


def test_labels_without_full_rank_are_welcome():
    found = classify(
        square((2, 0)), (np.diag([2.0, 1.0]), np.eye(2), np.diag([1.0, 0]))
    )
    assert found.kind is Kind.GLOBAL_MINIMUM
    assert "not of full rank" in found.caveats[0]


def test_nothing_to_learn_leaves_minima_only():
    zeros = (np.zeros((2, 2)),) * 3
    assert classify(square((0, 0)), zeros).kind is Kind.GLOBAL_MINIMUM


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_the_playgrounds_origin_is_strict_in_two_layers_only(depth):
    toy = tw.Playground(depth)
    ones = classify(toy, np.ones(depth))
    assert (ones.kind, ones.modes) == (Kind.GLOBAL_MINIMUM, (1,))
    if depth > 1:
        found = classify(toy, np.zeros(depth))
        strict = Kind.STRICT_SADDLE if depth == 2 else Kind.NON_STRICT_SADDLE
        assert found.kind is strict


def test_a_point_with_a_gradient_is_refused():
    with pytest.raises(DomainError, match="the gradient's norm is") as caught:
        classify(square((2, 1)), (np.eye(2),) * 3)
    assert is_a_sentence(caught.value)


def test_the_tolerance_is_the_users():
    weights = tuple(np.diag([ROOT, 0]) + 1e-3 for _ in range(3))
    with pytest.raises(DomainError, match="tolerance\\*\\*2 = 1e-08"):
        classify(square((2, 1)), weights)
    found = classify(square((2, 1)), weights, tolerance=0.1)
    assert (found.kind, found.modes) == (Kind.NON_STRICT_SADDLE, (1,))
    assert found.gap < 1000
    with pytest.raises(DomainError, match="tolerance is 0"):
        classify(square((2, 1)), weights, tolerance=0.0)


def test_a_plateau_is_read_with_a_coarse_tolerance():
    # A descent's: three modes are learnt, the layers' entries for the last are small.
    rng = np.random.default_rng(1)
    learnt = np.diag(np.cbrt([4.0, 3.0, 2.0, 0.0]))
    weights = tuple(learnt + 3e-3 * rng.standard_normal((4, 4)) for _ in range(3))
    data = tw.Moments.whitened(np.diag([4.0, 3.0, 2.0, 1.0]))
    problem = tw.Problem(tw.LinearNet((4,) * 4), data)
    found = classify(problem, weights, tolerance=0.1)
    assert (found.kind, found.modes) == (Kind.NON_STRICT_SADDLE, (1, 2, 3))
    assert found.value == pytest.approx(0.5)


def test_a_number_close_to_the_threshold_is_a_caveat():
    weights = (np.eye(2) * 3e-8, np.zeros((2, 2)), np.zeros((2, 2)))
    found = classify(square((2, 1)), weights)
    assert found.gap < 10
    assert "a decision is close" in found.caveats[0]


def test_deep_nets_are_classified_at_once():
    widths = (6,) * 13
    problem, weights = drawn(3, widths, np.arange(6.0, 0, -1), [0, 1])
    found = classify(problem, weights)
    assert len(found.pivots) == 66
    assert found.kind is Kind.NON_STRICT_SADDLE
    assert found.case == "tightened"


def test_a_classification_is_written_as_json():
    told = classify(square((2, 1)), (np.diag([0.0, 1.0]),) * 3, rigorous=True).to_json()
    again = json.loads(json.dumps(told, allow_nan=False))
    assert again == told
    assert again["kind"] == "strict saddle"
    assert again["modes"] == [2]
    assert again["pivots"][0] == {
        "upper": 2,
        "lower": 1,
        "through_rank": 1,
        "between_rank": 2,
        "is_tightened": True,
    }
    assert again["proof"]["is_critical"]


def test_every_case_has_its_kind():
    strict = [case for case in SourceCase if case.kind is Kind.STRICT_SADDLE]
    assert len(strict) == 5


@pytest.mark.slow
def test_five_thousand_critical_points_are_classified_as_their_hessians_say():
    rng, counts = np.random.default_rng(0), dict.fromkeys(Kind, 0)
    for seed in range(5000):
        widths = tuple(map(int, rng.integers(2, 6, rng.integers(2, 7))))
        problem, weights, *_ = point(
            seed, widths, SPECTRA[seed % 4], bool(rng.random() < 0.5)
        )
        found = classify(problem, weights).kind
        assert found is truth(problem, weights), seed
        counts[found] += 1
    assert min(counts.values()) > 500
