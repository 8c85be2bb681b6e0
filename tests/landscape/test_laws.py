"""Counts of laws, against brackets taken one by one and laws checked one by one."""

import itertools
import json

import numpy as np
import pytest
from flint import fmpq_mat
from scipy.integrate import solve_ivp

from thalweg import LinearNet
from thalweg._core.errors import DomainError, ThalwegError
from thalweg.landscape._counting.fields import PRIME, Net, mod, random
from thalweg.landscape._counting.lie import Flow, HeavyBall, _levels, rank, span
from thalweg.landscape._counting.proof import kept_by_flow, kept_by_momentum
from thalweg.landscape.laws import MOST, count_laws
from tolerances import is_a_sentence

TABLE = [  # MATH F.5: widths, laws, parameters
    ((2, 2, 2), 3, 8),
    ((3, 2, 3), 3, 12),
    ((2, 3, 2), 6, 12),
    ((1, 4, 1), 7, 8),
    ((2, 5, 2), 14, 20),
    ((3, 3, 3, 3), 12, 27),
    ((2, 3, 3, 2), 12, 21),
    ((4, 3, 2, 1), 9, 20),
    ((1, 1, 1, 1), 2, 3),
    ((1, 6, 1, 2), 12, 14),
    ((10, 10, 10, 10), 110, 300),
    ((1, 2, 2, 1), 7, 8),
    ((1, 3, 3, 1), 14, 15),
]


def formula(widths, more=0):
    """MATH F.5: independent functions among the balancedness matrices."""
    total = 0
    for below, width, above in zip(widths, widths[1:], widths[2:], strict=False):
        part = min(width, below + more + above)
        total += part * (2 * width + 1 - part) // 2
    return total


def has_long_stretch(widths):
    """Three layers or more from width one to width one, at least two inside."""
    ones = [place for place, width in enumerate(widths) if width == 1]
    return any(b - a >= 3 for a, b in itertools.pairwise(ones))


# A polynomial is a dictionary from sorted tuples of variables to whole numbers.


def derivative(polynomial, variable):
    found = {}
    for monomial, factor in polynomial.items():
        if count := monomial.count(variable):
            rest = list(monomial)
            rest.remove(variable)
            found[tuple(rest)] = found.get(tuple(rest), 0) + count * factor
    return found


def plus_product(total, left, right, sign):
    for (a, x), (b, y) in itertools.product(left.items(), right.items()):
        key = tuple(sorted(a + b))
        total[key] = total.get(key, 0) + sign * x * y


def bracket(first, second):
    """The derivative of the second field along the first, less the converse."""
    found = []
    for p, q in zip(first, second, strict=True):
        total = {}
        for place in range(len(first)):
            plus_product(total, first[place], derivative(q, place), 1)
            plus_product(total, second[place], derivative(p, place), -1)
        found.append({key: value for key, value in total.items() if value})
    return found


def products(widths):
    """The entries of the end-to-end map as polynomials in the weights."""
    starts = np.cumsum([0, *(a * b for a, b in itertools.pairwise(widths))]).tolist()
    hidden = [range(width) for width in widths[1:-1]]
    for end, begin in itertools.product(range(widths[-1]), range(widths[0])):
        total = {}
        for middle in itertools.product(*hidden):
            ends = (begin, *middle, end)
            path = tuple(
                starts[j] + ends[j + 1] * widths[j] + ends[j]
                for j in range(len(widths) - 1)
            )
            total[path] = 1
        yield total


def gradients(widths):
    size = sum(a * b for a, b in itertools.pairwise(widths))
    return [[derivative(p, place) for place in range(size)] for p in products(widths)]


def momenta(widths):
    """The drift and the pushes of the heavy ball, with its clock."""
    fields = gradients(widths)
    size = len(fields[0])
    drift = [{(size + k,): 1} for k in range(size)]
    drift += [{(size + k,): -1} for k in range(size)]
    pushes = [[*({} for _ in range(size)), *field, {}] for field in fields]
    return [[*drift, {(): 1}], *pushes]


def value(field, point):
    return [
        sum(
            factor * np.prod([point[v] for v in m], dtype=object)
            for m, factor in p.items()
        )
        for p in field
    ]


def dimension(generators, depth):
    """The rank over the rationals of all nested brackets up to a depth."""
    size = len(generators[0])
    point = [int(x) for x in np.random.default_rng(0).integers(-9, 10, size)]
    level, rows = generators, []
    for _ in range(depth):
        rows += [value(field, point) for field in level]
        level = [bracket(g, field) for g in generators for field in level]
        level = [field for field in level if any(field)]
    return int(fmpq_mat([[int(x) for x in row] for row in rows]).rank())


@pytest.mark.parametrize("prove", [True, False])
@pytest.mark.parametrize(("widths", "laws", "parameters"), TABLE)
def test_marcotte2023_table(widths, laws, parameters, prove):
    found = count_laws(widths, prove=prove)
    assert (found.laws, found.parameters) == (laws, parameters)
    assert found.dimension == parameters - laws
    assert found.balancedness == formula(widths)
    assert found.extra == laws - formula(widths)
    assert found.proved == prove


def test_36_of_351_architectures_keep_more_than_balancedness_proved():
    more = []
    every = [
        widths
        for layers in (2, 3, 4)
        for widths in itertools.product((1, 2, 3), repeat=layers + 1)
    ]
    for widths in every:
        found = count_laws(widths, prove=True)
        assert found.proved
        assert found.balancedness == formula(widths)
        assert bool(found.extra) == bool(found.stretches) == has_long_stretch(widths)
        more += [widths] * bool(found.extra)
    assert (len(every), len(more)) == (351, 36)


@pytest.mark.parametrize("bias", [False, True])
def test_counts_of_larger_nets_are_proved(bias):
    draw = np.random.default_rng(0).integers
    for _ in range(20):
        widths = tuple(draw(1, 8, draw(3, 6)).tolist())
        found = count_laws(widths, bias=bias, prove=True)
        assert found.proved
        assert found.balancedness == formula(widths, int(bias))
        assert bool(found.extra) == (has_long_stretch(widths) and not bias)


@pytest.mark.parametrize(
    ("widths", "depth"),
    [((1, 1, 1), 3), ((1, 2, 1), 3), ((2, 1, 2), 3), ((2, 2, 2), 3), ((1, 2, 2, 1), 2)],
)
def test_the_dimension_is_that_of_brackets_taken_one_by_one(widths, depth):
    found = count_laws(widths).dimension
    assert found == dimension(gradients(widths), depth)
    assert found == dimension(gradients(widths), depth - 1) or widths != (1, 1, 1)


@pytest.mark.parametrize(
    ("widths", "depth"), [((1, 1, 1), 4), ((1, 2, 1), 7), ((2, 1, 2), 4)]
)
def test_the_dimension_with_momentum_counts_the_clock(widths, depth):
    found = count_laws(widths, momentum=True, prove=True)
    assert dimension(momenta(widths), depth) == found.dimension + 1
    assert found.laws == 2 * found.parameters + 1 - (found.dimension + 1)


def test_the_levels_along_a_curve_are_iterated_brackets():
    # y' = [X_0, Y] and y'' = [X_0, [X_0, Y]] + [X_1, Y] for the control X_0 + s X_1.
    widths, draw = (2, 1, 2), np.random.default_rng(3)
    system = Flow(Net(widths))
    point = system.draw(draw)
    control, error = random(draw, (3, 1, 1, 2, 2)), np.zeros((3, 1, 1, 2, 2))
    error[0] = random(draw, (1, 1, 2, 2))
    rows = list(_levels(system, point, control, error))
    family = gradients(widths)

    def field(matrix):
        """The combination of the family, entries of the end-to-end map in order."""
        factors = [int(x) for x in matrix.ravel()]
        total = [{} for _ in family[0]]
        for factor, one in zip(factors, family, strict=True):
            for place, p in enumerate(one):
                plus_product(total[place], {(): factor}, p, 1)
        return total

    y, x0, x1 = (field(m) for m in (error[0], control[0], control[1]))
    once = bracket(x0, y)
    at = [int(v) for layer in point for v in layer.ravel()]
    wanted = [value(y, at), value(once, at)]
    twice = zip(value(bracket(x0, once), at), value(bracket(x1, y), at), strict=True)
    wanted.append([a + b for a, b in twice])
    for row, exact in zip(rows, wanted, strict=True):
        assert [int(v) % PRIME for v in row[0]] == [int(v) % PRIME for v in exact]


def pushes(system, seed):
    """A random state, its velocity, and the fields there, modulo the prime."""
    draw = np.random.default_rng(seed)
    state = system.draw(draw)
    rows, columns = system.net.shapes[-1][0], system.net.shapes[0][1]
    errors = random(draw, (1, 1, rows * columns, rows, columns))
    fields = system.flat(system.fields(state, errors))
    return state, system.flat(system.velocity(state, errors[:, :, :1])), fields


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    "widths", [(3, 2, 2), (1, 2, 3, 1), (2, 1, 3, 2, 1, 2), (1, 30, 1)]
)
def test_every_exhibited_law_is_kept_exactly(widths, bias):
    system = Flow(Net(widths, bias))
    state, _, fields = pushes(system, 1)
    known = kept_by_flow(system.net, [x[0, 0, 0] for x in state])
    for rows in (known.common, known.further):
        assert not mod(rows @ fields.T).any()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("widths", [(3, 2, 2), (1, 3, 1), (2, 1, 3, 1, 2), (1, 30, 1)])
def test_every_angular_momentum_decays_like_the_friction(widths, bias):
    # d/dt (exp(t) M) = 0 along the drift and the pushes: dM . X = -M, dM . Y = 0.
    system = HeavyBall(Net(widths, bias))
    state, drift, fields = pushes(system, 2)
    chain = [x[0, 0, 0] for x in state]
    depth = len(widths) - 1
    known = kept_by_momentum(system.net, chain[:depth], chain[depth:])
    here = system.flat(state)[0]
    half = here.size // 2
    for rows in (known.common, known.further):
        assert not mod(rows @ fields.T).any()
        # M is a quadratic form: its differential by the velocities, applied to them.
        momentum = mod(rows[:, half:] @ here[half:])
        assert not mod(mod(rows @ drift[0]) + momentum).any()


def test_a_momentum_law_holds_along_the_heavy_ball_itself():
    # 1-3-1: x'' + x' = a(t) y, y'' + y' = a(t) x, for any a.
    def motion(time, state):
        x, y, u, v = state.reshape(4, 3)
        push = np.cos(3 * time) - 0.5 * x @ y
        return np.concatenate([u, v, push * y - u, push * x - v])

    start = np.random.default_rng(0).standard_normal(12)
    path = solve_ivp(motion, (0, 3), start, "DOP853", rtol=1e-12, atol=1e-14)

    def laws(time, state):
        x, y, u, v = state.reshape(4, 3)
        turning = np.outer(x, u) + np.outer(y, v)
        crossed = np.outer(x, v) - np.outer(u, y)
        return np.exp(time) * np.stack([m - m.T for m in (turning, crossed)])

    before, after = laws(0, start), laws(3.0, path.y[:, -1])
    scale = np.exp(3) * np.sum(np.square(path.y).max(axis=1))
    assert np.abs(after - before).max() <= 20 * 1e-12 * scale
    assert count_laws((1, 3, 1), momentum=True, prove=True).laws == 6


@pytest.mark.parametrize(
    ("widths", "laws"),
    [
        ((2, 2, 2), 1),
        ((3, 4, 3), 6),
        ((3, 3, 3, 3), 6),
        ((1, 2, 2, 1), 2),
        ((2, 1, 2), 0),
    ],
)
def test_momentum_keeps_the_angular_momenta_of_hidden_spaces(widths, laws):
    found = count_laws(widths, momentum=True, prove=True)
    assert (found.laws, found.extra, found.proved) == (laws, 0, True)
    assert laws == sum(width * (width - 1) // 2 for width in widths[1:-1])


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("widths", [(4, 3, 2), (1, 1, 2), (2, 2, 1), (2, 5, 1)])
def test_relu_units_keep_one_law_each_and_none_with_momentum(widths, bias):
    inputs, hidden, outputs = widths
    found = count_laws(widths, activation="relu", bias=bias, prove=True)
    assert (found.laws, found.extra, found.proved) == (hidden, 0, True)
    assert found.parameters == hidden * (inputs + outputs + bias) + bias * outputs
    assert found.dimension == found.parameters - hidden
    momentum = count_laws(
        widths, activation="relu", bias=bias, prove=True, momentum=True
    )
    assert (momentum.laws, momentum.proved) == (0, True)
    assert momentum.dimension == 2 * found.parameters


def test_a_relu_count_is_that_of_all_units_together():
    # Two units of a 1-2-1 net with biases: u (v, b), and the output bias.
    size = 7
    units = [[{(3 * k, 3 * k + 1): 1}, {(3 * k, 3 * k + 2): 1}] for k in (0, 1)]
    maps = [p for unit in units for p in unit] + [{(6,): 1}]
    fields = [[derivative(p, place) for place in range(size)] for p in maps]
    assert count_laws((1, 2, 1), activation="relu", bias=True).dimension == dimension(
        fields, 3
    )


def test_relu_units_of_one_input_move_together_and_are_refused():
    # On x > 0 two units of positive weights are a linear net 1-2-1: three laws.
    [product] = products((1, 2, 1))
    fields = [[derivative(product, place) for place in range(4)]]
    assert 4 - dimension(fields, 3) == 3
    with pytest.raises(DomainError, match="units of one sign fire together") as caught:
        count_laws((1, 2, 1), activation="relu")
    assert is_a_sentence(caught.value)


@pytest.mark.parametrize("widths", [(1, 90, 1), (2, 60, 3), (3, 2, 50, 2)])
def test_wide_layers_are_counted_from_random_combinations(widths):
    found = count_laws(widths)
    assert (found.laws, found.proved) == (formula(widths), True)


@pytest.mark.parametrize("widths", [(1, 3, 3, 1), (3, 5, 2), (2, 1, 2, 2, 1)])
@pytest.mark.parametrize("momentum", [False, True])
def test_all_seeds_and_ways_of_stopping_agree(widths, momentum):
    counts = {
        count_laws(widths, momentum=momentum, prove=prove, seed=seed).laws
        for seed in range(4)
        for prove in (True, False)
    }
    assert len(counts) == 1


def test_turning_the_net_around_changes_nothing():
    for widths in ((4, 3, 2, 1), (1, 2, 3, 1, 2)):
        assert count_laws(widths).laws == count_laws(widths[::-1]).laws


def test_a_level_that_adds_nothing_is_the_last():
    system = Flow(Net((3, 4, 4, 2)))
    found = span(system, 0)
    draw = np.random.default_rng(0)
    point = system.draw(draw)
    control, errors = random(draw, (7, 1, 1, 2, 3)), np.zeros((7, 1, 6, 2, 3))
    errors[0] = random(draw, (1, 6, 2, 3))
    rows = np.concatenate(list(_levels(system, point, control, errors)))
    assert rank(rows) == found.dimension


def test_a_net_is_read_in_three_ways():
    wanted = count_laws((5, 4, 4, 5), prove=True)
    assert count_laws("5-4-4-5", prove=True) == wanted
    assert count_laws("5, 4, 4, 5", prove=True) == wanted
    assert count_laws(LinearNet((5, 4, 4, 5)), prove=True) == wanted
    assert json.loads(json.dumps(wanted.to_json())) == wanted.to_json()
    assert wanted.to_json()["proof"]["prime"] == PRIME


@pytest.mark.parametrize(
    ("net", "fields"),
    [
        ("5-4-x", {}),
        ("5", {}),
        ("", {}),
        ((3, 0, 2), {}),
        ("3-0-2", {}),
        ((3,), {}),
        ((3, 2, 2), {"activation": "rleu"}),
        ((3, 2, 2, 2), {"activation": "relu"}),
        ((MOST + 1, 1), {}),
        ((30, 20), {"momentum": True}),
        ("2000000-2000000", {}),
        ((2, 2), {"seed": -1}),
    ],
)
def test_what_cannot_be_counted_is_refused_in_a_sentence(net, fields):
    with pytest.raises(ThalwegError, match=r"\w") as caught:
        count_laws(net, **fields)
    assert is_a_sentence(caught.value)


def test_the_largest_nets_are_counted():
    found = count_laws((MOST // 20, 10, MOST // 20), prove=True)
    assert (found.parameters, found.laws, found.proved) == (MOST, 55, True)
    with pytest.raises(DomainError, match="up to 1000"):
        count_laws((MOST // 20 + 1, 10, MOST // 20))
