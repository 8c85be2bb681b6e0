"""What every theorem keeps: witnesses, counterexamples, and promises never broken."""

import functools
import json
from dataclasses import replace
from fractions import Fraction

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from thalweg._core.errors import DomainError, UnknownName
from thalweg.linalg import balls, enclose
from thalweg.theorems import shelf
from thalweg.theorems._base import Case, Verdict
from tolerances import half_unit, is_a_sentence

NAMES = shelf.names()

TIGHT: set[str] = set()
"""Lemmas whose conclusions are equalities, which no ball can decide."""


def examples(kind):
    made = ((name, tw.theorem(name)) for name in NAMES)
    return [
        pytest.param(name, example, id=f"{name}-{number}")
        for name, theorem in made
        for number, example in enumerate(getattr(theorem, kind)())
    ]


WITNESSES = examples("witnesses")
COUNTEREXAMPLES = examples("counterexamples")
EXAMPLES = {
    id(param.values[1]): param.values[1] for param in [*WITNESSES, *COUNTEREXAMPLES]
}
PRINTED = [
    pytest.param(number, id=f"{name}-{number.where}")
    for name in NAMES
    for number in tw.theorem(name).printed_values()
]


def certified(name, example, step_size=None, **options):
    if step_size is None and not options:
        return certified_once(name, id(example))
    return _certified(name, example, step_size, **options)


@functools.cache
def certified_once(name, key):
    return _certified(name, EXAMPLES[key])


def _certified(name, example, step_size=None, **options):
    step = example.step_size if step_size is None else step_size
    return tw.certify(
        tw.theorem(name), example.problem, example.start, step_size=step, **options
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_theorem_has_a_card_a_witness_and_a_counterexample(name):
    theorem = tw.theorem(name)
    assert theorem.source.place
    assert theorem.status
    assert theorem.clock in ("iteration", "flow time")
    assert shelf.cards[name].summary.endswith(".")
    assert next(theorem.witnesses(), None) is not None
    assert next(theorem.counterexamples(), None) is not None


@pytest.mark.parametrize(("name", "example"), WITNESSES)
def test_a_witness_is_proved(name, example):
    certificate = certified(name, example)
    assert certificate.verdict is Verdict.PROVED
    assert all(h.verdict is Verdict.PROVED for h in certificate.hypotheses)
    assert certificate.guarantee is not None
    assert certificate.applies


@pytest.mark.parametrize(("name", "example"), COUNTEREXAMPLES)
def test_a_counterexample_is_refuted_where_it_says(name, example):
    certificate = certified(name, example)
    assert certificate.verdict is Verdict.REFUTED
    assert certificate.guarantee is None
    assert certificate.promised is None
    failed = {h.name for h in certificate.hypotheses if h.verdict is Verdict.REFUTED}
    assert example.refuted in failed


@pytest.mark.parametrize("number", PRINTED)
def test_a_printed_value_is_met_at_the_precision_of_its_print(number):
    assert abs(number.value() - float(number.text)) <= half_unit(number.text) * (
        1 + 1e-9
    )


RUNNABLE = [
    param for param in WITNESSES
    if isinstance(param.values[1].problem, tw.Problem | tw.Playground)
]  # fmt: skip
STEPPED = [
    param for param in WITNESSES
    if tw.theorem(param.values[0]).clock == "iteration"
    and certified(*param.values).safe_step is not None
]  # fmt: skip


@pytest.mark.parametrize(("name", "example"), STEPPED)
def test_the_safe_step_is_accepted_and_a_thousandth_more_is_not(name, example):
    safe = certified(name, example).safe_step
    assert certified(name, example, safe).verdict is Verdict.PROVED
    assert certified(name, example, 1.001 * safe).verdict is not Verdict.PROVED
    assert certified(name, example, 0.3 * safe).verdict is Verdict.PROVED


@pytest.mark.parametrize(("name", "example"), STEPPED)
def test_without_a_step_the_safe_one_is_taken(name, example):
    certificate = tw.certify(tw.theorem(name), example.problem, example.start)
    assert certificate.step_size == certificate.safe_step
    assert certificate.verdict is Verdict.PROVED


BOUNDED = [
    param for param in RUNNABLE
    if param.values[1].start is not None
    and certified(*param.values).guarantee.bounds_loss
]  # fmt: skip


def followed(example, certificate):
    """What really happens from an example, up to the time promised."""
    if certificate.clock == "flow time":
        times = np.linspace(0, min(certificate.promised, 4.0), 41).tolist()
        return tw.flow(example.problem, example.start, times=times)
    iterations = int(min(certificate.promised, 50_000))
    return tw.descend(
        example.problem,
        example.start,
        iterations=iterations,
        step_size=certificate.step_size,
    )


@pytest.mark.parametrize(("name", "example"), BOUNDED)
def test_what_is_observed_never_exceeds_what_is_promised(name, example):
    certificate = certified(name, example)
    path = followed(example, certificate)
    bound = certificate.guarantee.bound_at(path.clock)
    noise = 1e-13 * path["excess_loss"][0]
    assert np.all(path["excess_loss"] <= bound + noise)
    assert bound[0] == pytest.approx(path["excess_loss"][0], rel=1e-11)
    if path.clock[-1] >= certificate.promised:
        assert path["excess_loss"][-1] <= certificate.accuracy
    observed = certified(name, example, path=path).observed
    assert observed.kept is True


@pytest.mark.parametrize(("name", "example"), BOUNDED)
def test_a_curve_above_the_promise_is_noticed(name, example):
    certificate = certified(name, example)
    path = followed(example, certificate)
    columns = {**path.columns, "excess_loss": path["excess_loss"] * 1.001}
    observed = certified(name, example, path=replace(path, columns=columns)).observed
    assert observed.kept is False


LEMMAS = [
    param for param in WITNESSES
    if certified(*param.values).conclusions
]  # fmt: skip


@pytest.mark.parametrize(("name", "example"), LEMMAS)
def test_what_follows_for_a_witness_is_so(name, example):
    certificate = certified(name, example)
    verdicts = {entry.name: entry.verdict for entry in certificate.conclusions}
    assert Verdict.REFUTED not in verdicts.values()
    # An equality has zero in every ball; an inequality is decided.
    assert Verdict.PROVED in verdicts.values() or name in TIGHT


FAILING = [
    param for param in RUNNABLE
    if certified(*param.values).guarantee.floor is not None
    or certified(*param.values).guarantee.lower is not None
]  # fmt: skip


@pytest.mark.parametrize(("name", "example"), FAILING)
def test_a_failure_is_never_overcome(name, example):
    certificate = certified(name, example)
    if certificate.clock == "flow time":
        path = tw.flow(example.problem, example.start, times=[0.0, 1.0, 10.0])
    else:
        path = tw.descend(
            example.problem, example.start, step_size=certificate.step_size,
            iterations=300, every=1,
        )  # fmt: skip
    observed = certified(name, example, path=path).observed
    assert observed.kept is True


PREDICTING = [
    param for param in RUNNABLE
    if certified(*param.values).guarantee.predictions
]  # fmt: skip


@pytest.mark.parametrize(("name", "example"), PREDICTING)
def test_a_prediction_is_what_the_flow_does(name, example):
    measures = tuple(certified(name, example).guarantee.predictions)
    path = tw.flow(
        example.problem, example.start, times=np.linspace(0, 3, 13).tolist(),
        measures=measures, rtol=1e-10, atol=1e-12,
    )  # fmt: skip
    observed = certified(name, example, path=path).observed
    # 20 x rtol of the solver, summed over the dozen e-foldings of the course.
    assert observed.deviation <= 12 * 20 * 1e-10


CONSERVING = [
    param for param in RUNNABLE
    if certified(*param.values).guarantee.conserved
]  # fmt: skip


@pytest.mark.parametrize(("name", "example"), CONSERVING)
def test_what_a_theorem_conserves_stays_along_the_flow(name, example):
    kept = certified(name, example).guarantee.conserved
    path = tw.flow(example.problem, example.start, times=[0.0, 0.5], measures=kept)
    for measure in kept:
        column = path[measure]
        gap = np.abs(column - column[0]).max()
        assert gap <= 20 * 1e-10 * (1 + np.abs(column).max())
    drift = certified(name, example, path=path).observed.drift
    assert drift <= 20 * 1e-10 * 100


def target(widths, seed):
    draw = np.random.default_rng(seed).standard_normal
    return draw((widths[-1], widths[0])) + np.eye(widths[-1], widths[0]) * 2


@functools.cache
def whitened(widths, seed):
    return tw.Problem(tw.LinearNet(widths), tw.Moments.whitened(target(widths, seed)))


NEAR = st.sampled_from([(2, 2, 2), (3, 4, 3), (4, 3, 2, 2), (5, 4, 4, 1)])


@given(
    seed=st.integers(0, 9), widths=NEAR, near=st.floats(0.01, 0.4), mix=st.booleans()
)
@settings(max_examples=12)
def test_balanced_starts_near_the_target_keep_the_promise_of_arora2019(
    seed, widths, near, mix
):
    problem = whitened(widths, seed)
    goal = np.asarray(problem.target)
    away = np.random.default_rng(seed + 100).standard_normal(goal.shape)
    away *= near * np.linalg.svd(goal, compute_uv=False)[-1] / np.linalg.norm(away)
    start = tw.init("balanced", end_to_end=goal + away, mix=mix).draw(
        jax.random.key(seed), problem.net
    )
    certificate = tw.certify("arora2019.Convergence", problem, start)
    assert certificate.verdict is Verdict.PROVED
    path = tw.descend(
        problem, start, step_size=certificate.safe_step, iterations=20_000
    )
    bound = certificate.guarantee.bound_at(path.iterations)
    assert np.all(path["excess_loss"] <= bound + 1e-13 * bound[0])


def numbers(certificate):
    return {h.name: h.slack for h in certificate.hypotheses if h.slack is not None}


@given(seed=st.integers(0, 9), widths=NEAR, share=st.floats(0.3, 1.2))
@settings(max_examples=12)
def test_the_slacks_of_arora2019_are_those_of_theorem_1(seed, widths, share):
    # MATH B.4, in NumPy.
    problem = whitened(widths, seed)
    goal = np.asarray(problem.target)
    draw = np.random.default_rng(seed + 7).standard_normal
    start = tw.init("balanced", end_to_end=share * goal).draw(
        jax.random.key(0), problem.net
    )
    start = tuple(w + 1e-4 * draw(w.shape) for w in start)
    n, size = len(start), np.linalg.norm(goal)
    gap = np.linalg.norm(np.asarray(tw.end_to_end(start)) - goal)
    c = np.linalg.svd(goal, compute_uv=False)[-1] - gap
    delta = max(np.linalg.norm(d) for d in tw.invariants(start))
    kept = max(c, 0)
    wanted = [
        c,
        kept**2 / (256 * n**3 * size ** (2 * (n - 1) / n)) - delta,
        kept ** ((4 * n - 2) / n) / (6144 * n**3 * size ** ((6 * n - 4) / n)) - 1e-7,
    ]
    found = numbers(tw.certify("arora2019.Convergence", problem, start, step_size=1e-7))
    assert len(found) == 3 or c < 1e-12
    for (low, high), value in zip(found.values(), wanted, strict=False):
        slack = 1e-12 * (1 + size)
        assert low - slack <= value <= high + slack


def exact_descent(x, step, count):
    """Losses of gradient descent on the playground in rational arithmetic."""
    losses = []
    for _ in range(count + 1):
        product = functools.reduce(lambda a, b: a * b, x)
        losses.append((product - 1) ** 2 / 2)
        x = [value - step * (product - 1) * product / value for value in x]
    return losses


@given(
    seed=st.integers(0, 2**32 - 1),
    depth=st.sampled_from([2, 3]),
    share=st.floats(0.05, 1),
)
@settings(max_examples=20)
def test_exact_descent_on_the_playground_keeps_the_promise_of_the_lecture(
    seed, depth, share
):
    x = np.exp(0.7 * np.random.default_rng(seed).standard_normal(depth))
    x = x / max(1.0, 1.01 * np.prod(x) ** (1 / depth))
    toy = tw.Playground(depth)
    safe = tw.certify("flammarion2025.Convergence", toy, x).safe_step
    certificate = tw.certify(
        "flammarion2025.Convergence", toy, x, step_size=share * safe
    )
    assert certificate.verdict is Verdict.PROVED
    step, fractions = Fraction(certificate.step_size), [Fraction(v) for v in x.tolist()]
    c = max(fractions) / min(fractions)
    delta = functools.reduce(lambda a, b: a * b, fractions)
    factor = 1 - step * depth * delta**2 / c**2
    assert Fraction(certificate.factor) >= factor
    losses = exact_descent(fractions, step, 3)
    bounds = certificate.guarantee.bound_at(np.arange(4))
    for t, loss in enumerate(losses):
        promised = factor**t * losses[0]
        assert loss <= promised
        assert promised <= Fraction(float(bounds[t]))


@given(seed=st.integers(0, 2**32 - 1), depth=st.sampled_from([2, 3, 5]))
def test_the_promised_iterations_are_the_fewest_the_factor_gives(seed, depth):
    x = np.random.default_rng(seed).uniform(0.3, 0.99, depth)
    certificate = tw.certify("flammarion2025.Convergence", tw.Playground(depth), x)
    with mpmath.workdps(50):
        exact = [mpmath.mpf(v) for v in x.tolist()]
        delta, c = mpmath.fprod(exact), max(exact) / min(exact)
        gain = mpmath.mpf(certificate.step_size) * depth * delta**2 / c**2
        loss = (delta - 1) ** 2 / 2
        wanted = mpmath.ceil(mpmath.log(loss / mpmath.mpf(1e-6)) / -mpmath.log1p(-gain))
    assert certificate.promised == max(float(wanted), 0.0)


@given(
    seed=st.integers(0, 2**32 - 1),
    depth=st.sampled_from([2, 4]),
    step=st.floats(1e-3, 0.3),
)
def test_the_hypotheses_of_the_lecture_are_decided_as_in_exact_arithmetic(
    seed, depth, step
):
    x = np.random.default_rng(seed).uniform(-0.2, 1.5, depth)
    certificate = tw.certify(
        "flammarion2025.Convergence", tw.Playground(depth), x, step_size=step
    )
    exact = [Fraction(v) for v in x.tolist()]
    product = functools.reduce(lambda a, b: a * b, exact)
    holds = min(exact) > 0 and product < 1
    holds = holds and Fraction(step) * 3 * depth * max(exact) ** 2 <= min(exact) ** 2
    assert certificate.verdict is (Verdict.PROVED if holds else Verdict.REFUTED)


def unbalanced(seed, widths):
    draw = np.random.default_rng(seed).standard_normal
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    return tuple(3.0**j * 0.3 * draw(shape) for j, shape in enumerate(shapes))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_the_rate_of_chitour2023_is_that_of_remark_2(seed):
    # MATH E.4: alpha is the product of the d_(j+1)-th largest eigenvalues of the C_j.
    widths = (5, 4, 3, 2)
    start = unbalanced(seed, widths)
    eigenvalues = [np.linalg.eigvalsh(c)[::-1] for c in tw.invariants(start)]
    deciding = [v[widths[j + 2] - 1] for j, v in enumerate(eigenvalues)]
    certificate = tw.certify("chitour2023.ExponentialRate", whitened(widths, 0), start)
    for (low, high), value in zip(numbers(certificate).values(), deciding, strict=True):
        assert low - 1e-11 <= value <= high + 1e-11
    if min(deciding) > 1e-9:
        assert certificate.rate == pytest.approx(2 * np.prod(deciding), rel=1e-9)
    elif min(deciding) < -1e-9:
        assert certificate.verdict is Verdict.REFUTED


@pytest.mark.parametrize("seed", [1, 2])
def test_a_flow_on_raw_data_keeps_the_promise_of_remark_2(seed):
    rng = np.random.default_rng(seed)
    inputs, labels = (
        rng.standard_normal((30, 5)) * [1, 2, 1, 0.5, 1],
        rng.standard_normal((30, 2)),
    )
    problem = tw.Problem(
        tw.LinearNet((5, 4, 3, 2)), tw.Moments.from_data(inputs, labels)
    )
    start = unbalanced(seed, (5, 4, 3, 2))
    certificate = tw.certify("chitour2023.ExponentialRate", problem, start)
    assert certificate.verdict is Verdict.PROVED
    path = tw.flow(problem, start, times=[0.0, 0.1, 0.5, 1.0, 2.0])
    bound = certificate.guarantee.bound_at(path.times)
    assert np.all(path["excess_loss"] <= bound + 1e-10 * bound[0])


def diag(*values):
    return np.diag(np.asarray(values, dtype=float))


def white(goal, *hidden):
    goal = np.asarray(goal, dtype=float)
    net = tw.LinearNet((goal.shape[1], *hidden, goal.shape[0]))
    return tw.Problem(net, tw.Moments.whitened(goal))


def raw():
    rng = np.random.default_rng(0)
    data = tw.Moments.from_data(
        rng.standard_normal((9, 2)), rng.standard_normal((9, 2))
    )
    return tw.Problem(tw.LinearNet((2, 2, 2)), data)


AWKWARD = {
    "far from the target": lambda: (white(diag(2, 1), 2), (diag(0.1, 0.1),) * 2),
    "at the target": lambda: (white(diag(4, 1), 2), (diag(2, 1),) * 2),
    "zero target": lambda: (white(np.zeros((2, 2)), 2), (np.eye(2),) * 2),
    "zero target, zero start": lambda: (
        white(np.zeros((2, 2)), 2),
        (np.zeros((2, 2)),) * 2,
    ),
    "zero start": lambda: (white(diag(2, 1), 2), (np.zeros((2, 2)),) * 2),
    "one layer": lambda: (white(diag(2, 1)), (np.eye(2),)),
    "bottleneck": lambda: (white(diag(2, 1), 1), (np.ones((1, 2)), np.ones((2, 1)))),
    "one output": lambda: (white([[1.0, 2.0]], 2), (np.eye(2), np.ones((1, 2)))),
    "raw data": lambda: (raw(), (np.eye(2),) * 2),
    "huge": lambda: (white(diag(2, 1), 2), (1e150 * np.eye(2),) * 2),
    "tiny": lambda: (white(diag(2, 1), 2), (1e-200 * np.eye(2),) * 2),
    "tiny target": lambda: (white(1e-200 * np.eye(2), 2), (np.eye(2),) * 2),
    "playground": lambda: (tw.Playground(2), [0.5, 0.5]),
    "negative": lambda: (tw.Playground(2), [-0.5, 0.5]),
    "on the hyperbola": lambda: (tw.Playground(2), [2.0, 0.5]),
    "zero factor": lambda: (tw.Playground(2), [0.0, 0.5]),
    "one factor": lambda: (tw.Playground(1), [0.5]),
    "subnormal": lambda: (tw.Playground(2), [5e-324, 0.5]),
}


@pytest.mark.parametrize("kind", AWKWARD)
@pytest.mark.parametrize(
    ("options", "std"),
    [({"step_size": 0.1}, 1e-3), ({"step_size": 1e-300}, None), ({}, None)],
    ids=str,
)
def test_no_case_is_an_exception(kind, options, std):
    problem, start = AWKWARD[kind]()
    found = tw.certify_all(problem, start, std=std, **options)
    asked = {shelf.entry(name).drawn_by for name in NAMES}
    left_out = [
        name for name in NAMES
        if shelf.entry(name).drawn_by in asked - {"", "balanced" if std else ""}
    ]  # fmt: skip
    assert len(found) == len(NAMES) - len(left_out)
    for certificate in found:
        assert certificate.verdict in list(Verdict)
        assert (certificate.guarantee is None) == (
            certificate.verdict is not Verdict.PROVED
        )
        json.dumps(certificate.to_json(), allow_nan=False)
        assert all("\n" not in line for line in certificate.lines())


@pytest.mark.parametrize("kind", AWKWARD)
def test_proved_certificates_come_first_and_the_quickest_leads(kind):
    problem, start = AWKWARD[kind]()
    found = tw.certify_all(problem, start, step_size=1e-3, std=1e-3)
    order = [
        (
            c.verdict is not Verdict.PROVED,
            c.verdict is not Verdict.PROVED and not c.applies,
        )
        for c in found
    ]
    assert order == sorted(order)
    proved = [c.promised for c in found if c.verdict is Verdict.PROVED]
    times = [float("inf") if time is None else time for time in proved]
    assert times == sorted(times)


def test_a_start_at_the_target_has_converged_already():
    problem, start = AWKWARD["at the target"]()
    certificate = tw.certify("arora2019.Convergence", problem, start)
    assert certificate.verdict is Verdict.PROVED
    assert certificate.promised == 0


def test_theorems_about_random_starts_need_the_std():
    problem, start = AWKWARD["one output"]()
    names = [c.theorem for c in tw.certify_all(problem, start, step_size=0.1)]
    assert "arora2019.RandomBalancedStart" not in names


@pytest.mark.parametrize(
    ("problem", "start", "theorem", "hypothesis"),
    [
        (tw.Playground(2), [2.0, 0.5], "flammarion2025.Convergence", "prod x < 1"),
        (tw.Playground(2), [0.0, 0.5], "flammarion2025.Convergence", "x > 0"),
        # |W - Phi| = 1 = sigma_min: the margin is exactly zero.
        (white(diag(4, 1), 2), (diag(2, 0),) * 2, "arora2019.Convergence",
         "deficiency margin c > 0"),
        (white(diag(4, 1), 2), (diag(2, 1),) * 2, "chitour2023.ExponentialRate",
         "C_1 has at least 2 positive eigenvalues"),
    ],
)  # fmt: skip
def test_a_case_exactly_at_a_strict_bound_is_not_proved(
    problem, start, theorem, hypothesis
):
    certificate = tw.certify(theorem, problem, start, step_size=1e-9)
    (checked,) = (h for h in certificate.hypotheses if h.name == hypothesis)
    assert checked.verdict is not Verdict.PROVED
    assert checked.slack[0] <= 0 <= checked.slack[1]
    assert certificate.verdict is not Verdict.PROVED


def test_an_imbalance_of_exactly_zero_is_allowed():
    # Not strict: layers that are exactly balanced need no room below the limit.
    certificate = tw.certify(
        "arora2019.Convergence", white(diag(4, 1), 2), (diag(2, 1),) * 2
    )
    assert numbers(certificate)["deficiency margin c > 0"][0] > 0.99
    assert certificate.verdict is Verdict.PROVED


@given(
    seed=st.integers(0, 2**32 - 1),
    power=st.integers(-6, 1),
    name=st.sampled_from(NAMES),
)
@settings(max_examples=60)
def test_both_arithmetics_decide_alike_wherever_both_decide(seed, power, name):
    rng = np.random.default_rng(seed)
    if name.startswith("flammarion") or seed % 5 == 0:
        problem, start = tw.Playground(3), jnp.asarray(rng.uniform(-0.1, 1.3, 3))
    else:
        problem = white(diag(2, 1) + 0.1 * rng.standard_normal((2, 2)), 2)
        chain = tw.init(
            "balanced", end_to_end=rng.uniform(0.5, 1.1) * problem.target
        ).draw(jax.random.key(0), problem.net)
        start = tuple(
            w + 10.0**power * 1e-3 * rng.standard_normal(w.shape) for w in chain
        )
    theorem = tw.theorem(name)
    if not theorem.setting.holds(problem):
        return
    step = 10.0**power
    quick = theorem.hypotheses(Case(problem, start, step, enclose))
    with balls.working_precision(128):
        sharp = theorem.hypotheses(Case(problem, start, step, balls))
    assert [h.name for h in quick] == [h.name for h in sharp]
    for one, other in zip(quick, sharp, strict=True):
        decided = {one.verdict, other.verdict} - {Verdict.UNDECIDED}
        assert len(decided) <= 1
        if one.slack is not None:
            (low, high), (lower, higher) = one.interval, other.interval
            assert low <= higher
            assert lower <= high


@pytest.mark.parametrize("promised", [1e-3, 1e-6, 1e-9])
def test_more_accuracy_takes_no_fewer_iterations(promised):
    certificate = tw.certify("flammarion2025.Convergence", tw.Playground(2), [0.5, 0.5])
    assert certificate.iterations_to(promised) <= certificate.iterations_to(
        promised / 10
    )


def test_an_accuracy_already_met_is_promised_at_once():
    certificate = tw.certify(
        "flammarion2025.Convergence", tw.Playground(2), [0.5, 0.5], accuracy=1.0
    )
    assert certificate.promised == 0


def test_observed_figures_stand_beside_the_promise():
    toy, x = tw.Playground(2), [0.5, 0.5]
    certificate = tw.certify("flammarion2025.Convergence", toy, x)
    path = tw.descend(toy, x, step_size=certificate.step_size, iterations=1000,
                      accuracy=1e-6)  # fmt: skip
    observed = tw.certify("flammarion2025.Convergence", toy, x, path=path).observed
    assert observed.kept is True
    assert observed.time == 21
    assert observed.looseness == pytest.approx(596 / 21)


def test_a_path_of_another_step_is_not_held_against_a_promise():
    # The promise is about the certified step; this path crawls at a hundredth of it.
    toy, x = tw.Playground(2), [0.5, 0.5]
    path = tw.descend(toy, x, step_size=1e-5, iterations=2000)
    certificate = tw.certify("flammarion2025.Convergence", toy, x, path=path)
    assert certificate.observed.kept is not False


def test_a_descent_says_nothing_of_a_promise_about_the_flow():
    problem, start = AWKWARD["one output"]()
    path = tw.descend(problem, start, step_size=0.01, iterations=10)
    observed = tw.certify("chitour2023.Invariance", problem, start, path=path).observed
    assert observed.kept is None
    assert observed.drift is None


@pytest.mark.parametrize(
    ("fields", "kind", "says"),
    [
        ({"accuracy": 0.0}, DomainError, "accuracy is 0.0; it must be positive"),
        ({"accuracy": float("nan")}, DomainError, "accuracy is nan"),
        ({"step_size": -1.0}, DomainError, "step_size is -1.0; it must be positive"),
        ({"step_size": float("inf")}, DomainError, "step_size is inf"),
        (
            {"theorem": "arora19.Convergence"},
            UnknownName,
            "Did you mean 'arora2019.Conv",
        ),
        ({"weights": None}, DomainError, "pass its weights"),
    ],
)
def test_a_mistake_is_met_with_one_sentence(fields, kind, says):
    problem, start = AWKWARD["far from the target"]()
    usual = {"theorem": "arora2019.Convergence", "problem": problem, "weights": start}
    arguments = {**usual, **fields}
    with pytest.raises(kind, match=says) as caught:
        tw.certify(**arguments)
    assert is_a_sentence(caught.value)


@pytest.mark.parametrize("std", [0.0, -1.0, float("nan")])
def test_a_random_start_needs_a_positive_std(std):
    with pytest.raises(DomainError, match="std is"):
        tw.theorem("arora2019.RandomBalancedStart", std=std)


def test_a_certificate_cites_its_paper():
    certificate = tw.certify("flammarion2025.Convergence", tw.Playground(2), [0.5, 0.5])
    assert certificate.cite().startswith("@misc{flammarion2025,")
    assert certificate.lines()[0].startswith("flammarion2025.Convergence: proved.")


@pytest.mark.parametrize(("inputs", "std"), [(1, 10.0), (8, 3.0), (4, 1.0), (11, 1.0)])
def test_two_negative_chances_do_not_make_a_positive_one(inputs, std):
    target = np.eye(1, inputs)
    problem = tw.Problem(tw.LinearNet((inputs, 4, 1)), tw.Moments.whitened(target))
    told = tw.certify("arora2019.RandomBalancedStart", problem, std=std)
    assert told.verdict == "refuted"
    assert told.promised is None


def test_a_margin_below_float64_still_gets_its_step_and_promise():
    target = np.diag([4.0, 1.0])
    problem = tw.Problem(tw.LinearNet((2, 2, 2)), tw.Moments.whitened(target))
    layer = np.diag([2.0, 2.0**-27])
    told = tw.certify("arora2019.Convergence", problem, (layer, layer))
    assert told.verdict == "proved"
    assert told.step_size == told.safe_step > 0
    assert np.isfinite(told.promised)


def test_a_path_from_elsewhere_is_refused():
    toy = tw.Playground(2)
    path = tw.descend(toy, [0.5, 0.5], step_size=1 / 6, iterations=9)
    with pytest.raises(DomainError, match="starts elsewhere"):
        tw.certify("flammarion2025.Convergence", toy, [0.9, 0.9], path=path)
