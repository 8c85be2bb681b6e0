"""What every start keeps, and what each one promises of itself."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tw
from thalweg._core.errors import DataError, DomainError, ShapeError, ThalwegError
from thalweg.inits import shelf
from tolerances import close, is_a_sentence, norms, same_arrays

NETS = [(3, 3, 3), (3, 5, 4, 2), (4, 2, 4), (3, 2)]
KEY = jax.random.key(7)


def arguments(name, widths):
    """Values for the fields of an entry that have no default."""
    rng = np.random.default_rng(3)
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    known = {
        "target": rng.standard_normal((widths[-1], widths[0])),
        "end_to_end": rng.standard_normal((widths[-1], widths[0])),
        "weights": [rng.standard_normal(shape) for shape in shapes],
    }
    required = [
        field.name
        for field in dataclasses.fields(shelf.entry(name))
        if field.init
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    unknown = set(required) - set(known)
    assert not unknown, f"'{name}' requires {unknown}; teach this test a value"
    return {field: known[field] for field in required}


def entry(name, widths):
    return tw.init(name, **arguments(name, widths))


@functools.cache
def drawn(name, widths):
    """A draw, or `None` where the entry says in one sentence that it has none."""
    try:
        return entry(name, widths).draw(KEY, tw.LinearNet(widths))
    except ThalwegError as error:
        refused = str(error)
    assert is_a_sentence(refused)
    return None


def fits(name, widths):
    return drawn(name, widths) is not None


CASES = [(name, widths) for name in shelf for widths in NETS if fits(name, widths)]


def depends_on_key(name, widths):
    """Whether an entry is random: read off what it does with two keys."""
    other = entry(name, widths).draw(jax.random.key(8), tw.LinearNet(widths))
    pairs = zip(drawn(name, widths), other, strict=True)
    return any(bool(jnp.any(a != b)) for a, b in pairs)


@pytest.mark.parametrize("name", shelf.names())
def test_an_init_accepts_at_least_two_of_the_nets(name):
    if name == "lambda_balanced":  # two layers, and 4-2-4 is one of them
        assert (name, (3, 3, 3)) in CASES
    assert sum(case[0] == name for case in CASES) >= 2


@pytest.mark.parametrize("name", shelf.names())
def test_an_init_says_where_it_comes_from(name):
    made = shelf.entry(name)
    assert made.source.line()
    assert isinstance(made.balanced, bool)
    assert shelf.cards[name].summary.endswith(".")


@pytest.mark.parametrize(("name", "widths"), CASES)
def test_a_draw_has_the_shapes_of_the_net(name, widths):
    chain = drawn(name, widths)
    assert isinstance(chain, tuple)
    assert tuple(w.shape for w in chain) == tw.LinearNet(widths).shapes
    assert all(w.dtype == jnp.float64 for w in chain)
    assert all(bool(jnp.all(jnp.isfinite(w))) for w in chain)


@pytest.mark.parametrize(("name", "widths"), CASES)
def test_the_same_key_gives_the_same_draw(name, widths):
    again = entry(name, widths).draw(KEY, tw.LinearNet(widths))
    for one, other in zip(drawn(name, widths), again, strict=True):
        same_arrays(one, other)


@pytest.mark.parametrize(("name", "widths"), list(dict(reversed(CASES)).items()))
def test_draws_vmap_over_keys(name, widths):
    made, net = entry(name, widths), tw.LinearNet(widths)
    keys = jax.random.split(KEY, 3)
    batch = jax.vmap(lambda key: made.draw(key, net))(keys)
    for run, key in enumerate(keys):
        for layer, stack in zip(made.draw(key, net), batch, strict=True):
            close(stack[run], layer, ulps=32, scale=1 + float(jnp.abs(layer).max()))


@pytest.mark.parametrize(("name", "widths"), CASES)
def test_a_random_init_draws_anew_for_every_key(name, widths):
    made = shelf.entry(name)
    words = f"{made.__doc__} {made.draw.__doc__}"
    claims = ("key is not used", "key: Not used", "No randomness", "used only to mix")
    ignores_it = any(claim in words for claim in claims)
    assert depends_on_key(name, widths) is not ignores_it


@pytest.mark.parametrize(
    ("name", "widths"), [case for case in CASES if shelf.entry(case[0]).balanced]
)
def test_a_start_declared_balanced_is_balanced(name, widths):
    chain = drawn(name, widths)
    for j, gap in enumerate(tw.invariants(chain)):
        size = norms(chain[j : j + 1]) ** 2 + norms(chain[j + 1 : j + 2]) ** 2
        close(gap, jnp.zeros_like(gap), ulps=4 * len(chain), scale=size)


@pytest.mark.parametrize("name", shelf.names())
def test_an_init_refuses_nan_in_every_number_it_takes(name):
    given_fields = arguments(name, (3, 3, 3))
    numbers = [
        field.name
        for field in dataclasses.fields(shelf.entry(name))
        if isinstance(field.default, float)
    ]
    for field in numbers:
        with pytest.raises(ThalwegError, match=r"nan|NaN") as caught:
            tw.init(name, **{**given_fields, field: float("nan")})
        assert is_a_sentence(caught.value)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("balanced", "std"),
        ("gaussian", "std"),
        ("xavier", "gain"),
        ("he", "gain"),
        ("orthogonal", "gain"),
        ("identity", "scale"),
        ("lambda_balanced", "std"),
    ],
)
@pytest.mark.parametrize("value", [-0.1, float("inf")])
def test_a_scale_below_zero_or_infinite_is_refused(name, field, value):
    with pytest.raises(DomainError, match="must be a finite number >= 0") as caught:
        tw.init(name, **{field: value})
    assert is_a_sentence(caught.value)


def test_a_missing_field_is_named():
    with pytest.raises(DomainError, match="'aligned' needs target"):
        tw.init("aligned")


def test_a_mistyped_field_is_met_with_a_suggestion():
    with pytest.raises(KeyError, match="Did you mean 'std'"):
        tw.init("gaussian", sdt=1.0)


@pytest.mark.parametrize(
    ("name", "fields", "std"),
    [
        ("gaussian", {"std": 0.3}, lambda rows, columns: 0.3),
        (
            "xavier",
            {"gain": 1.5},
            lambda rows, columns: 1.5 * (2 / (rows + columns)) ** 0.5,
        ),
        ("he", {}, lambda rows, columns: (2 / columns) ** 0.5),
        ("he", {"gain": 1.0}, lambda rows, columns: columns**-0.5),
    ],
)
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_gaussian_layers_have_the_mean_and_variance_they_say(name, fields, std, layer):
    net = tw.LinearNet((60, 90, 40, 70))
    entries = np.asarray(tw.init(name, **fields).draw(KEY, net)[layer]).ravel()
    wanted = std(*net.shapes[layer])
    error = 4 / entries.size**0.5
    assert abs(entries.mean()) <= wanted * error
    assert abs(np.mean(entries**2) / wanted**2 - 1) <= 2**0.5 * error


def test_gaussian_layers_are_independent_of_each_other():
    first, second = tw.init("gaussian", std=1.0).draw(KEY, tw.LinearNet((50, 50, 50)))
    correlation = float(jnp.mean(first * second))
    assert abs(correlation) <= 4 / 50


def test_the_matrix_behind_a_balanced_start_has_the_std_it_says():
    net = tw.LinearNet((80, 80, 70))
    matrix = tw.end_to_end(tw.init("balanced", std=0.2).draw(KEY, net))
    ratio = float(jnp.mean(matrix**2)) / 0.04
    assert abs(ratio - 1) <= 4 * (2 / matrix.size) ** 0.5


@given(
    seed=st.integers(0, 2**32 - 1),
    power=st.integers(-6, 6),
    widths=st.sampled_from([*NETS[:2], (5, 5, 6, 3), (2, 3)]),
    mix=st.booleans(),
)
def test_balanced_factors_multiply_to_the_matrix_given(seed, power, widths, mix):
    shape = (widths[-1], widths[0])
    matrix = 10.0**power * np.random.default_rng(seed).standard_normal(shape)
    start = tw.init("balanced", end_to_end=matrix, mix=mix)
    chain = start.draw(KEY, tw.LinearNet(widths))
    close(tw.end_to_end(chain), matrix, ulps=4 * len(chain), scale=norms(chain))


@pytest.mark.parametrize("mix", [False, True])
def test_balanced_layers_share_the_roots_of_the_singular_values(mix):
    matrix = np.random.default_rng(0).standard_normal((4, 5))
    net = tw.LinearNet((5, 6, 7, 4))
    chain = tw.init("balanced", end_to_end=matrix, mix=mix).draw(KEY, net)
    wanted = np.linalg.svd(matrix, compute_uv=False) ** (1 / 3)
    for layer in chain:
        found = np.linalg.svd(np.asarray(layer), compute_uv=False)[:4]
        close(found, wanted, ulps=32, scale=wanted[0])


def test_mixing_turns_the_hidden_spaces():
    net = tw.LinearNet((4, 5, 4))
    plain = tw.init("balanced").draw(KEY, net)
    mixed = tw.init("balanced", mix=True).draw(KEY, net)
    assert float(jnp.abs(plain[0] - mixed[0]).max()) > 1e-3
    close(tw.end_to_end(mixed), tw.end_to_end(plain), ulps=16, scale=norms(plain))


def test_a_bottleneck_passes_the_best_approximation_of_a_drawn_matrix():
    wide = tw.end_to_end(tw.init("balanced").draw(KEY, tw.LinearNet((4, 4, 4))))
    narrow = tw.end_to_end(tw.init("balanced").draw(KEY, tw.LinearNet((4, 2, 4))))
    left, values, right = np.linalg.svd(np.asarray(wide))
    best = left[:, :2] * values[:2] @ right[:2]
    close(narrow, best, ulps=64, scale=np.linalg.norm(wide))


def test_a_bottleneck_refuses_a_given_matrix_of_larger_rank():
    start = tw.init("balanced", end_to_end=np.diag([3.0, 2.0, 1.0]))
    with pytest.raises(DomainError, match="rank 3 but the net passes rank 2"):
        start.draw(KEY, tw.LinearNet((3, 2, 3)))


def test_a_bottleneck_accepts_a_given_matrix_of_its_rank():
    matrix = np.diag([3.0, 2.0, 0.0])
    chain = tw.init("balanced", end_to_end=matrix).draw(KEY, tw.LinearNet((3, 2, 3)))
    close(tw.end_to_end(chain), matrix, ulps=16, scale=norms(chain))


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("balanced", "end_to_end"),
        ("lambda_balanced", "end_to_end"),
        ("aligned", "target"),
    ],
)
def test_a_matrix_that_does_not_fit_the_net_is_refused(name, field):
    start = tw.init(name, **{field: np.ones((5, 10))})
    with pytest.raises((ShapeError, DomainError), match=r"\(5, 10\)") as caught:
        start.draw(KEY, tw.LinearNet((3, 2, 2)))
    assert is_a_sentence(caught.value)


@pytest.mark.parametrize("imbalance", [-2.0, -0.5, 0.0, 0.5, 2.0])
@pytest.mark.parametrize("widths", [(3, 3, 3), (5, 3, 4), (4, 3, 5), (6, 2, 6)])
@pytest.mark.parametrize("mix", [False, True])
def test_the_invariant_is_lambda_times_the_identity(imbalance, widths, mix):
    start = tw.init("lambda_balanced", imbalance=imbalance, std=1.0, mix=mix)
    chain = start.draw(KEY, tw.LinearNet(widths))
    size = norms(chain[:1]) ** 2 + norms(chain[1:]) ** 2
    wanted = imbalance * np.eye(widths[1])
    close(tw.invariants(chain)[0], wanted, ulps=8, scale=size)


@pytest.mark.parametrize("widths", [(3, 5, 3), (2, 6, 4)])
def test_lambda_zero_is_balanced_at_any_width(widths):
    chain = tw.init("lambda_balanced", imbalance=0.0).draw(KEY, tw.LinearNet(widths))
    size = norms(chain[:1]) ** 2 + norms(chain[1:]) ** 2
    close(tw.invariants(chain)[0], np.zeros((widths[1],) * 2), ulps=8, scale=size)


@pytest.mark.parametrize("imbalance", [-1e6, -1e3, -1.0, 0.0, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("widths", [(4, 4, 4), (5, 3, 3)])
def test_lambda_balanced_factors_multiply_to_the_matrix_given(imbalance, widths):
    matrix = np.random.default_rng(0).standard_normal((widths[-1], widths[0]))
    start = tw.init("lambda_balanced", imbalance=imbalance, end_to_end=matrix)
    chain = start.draw(KEY, tw.LinearNet(widths))
    close(tw.end_to_end(chain), matrix, ulps=8, scale=norms(chain))


@pytest.mark.parametrize(
    ("imbalance", "widths"),
    [(1.0, (4, 3, 2)), (-1.0, (2, 3, 4)), (0.0, (2, 2)), (1.0, (2, 2, 2, 2))],
)
def test_a_net_without_a_lambda_balanced_start_is_refused(imbalance, widths):
    start = tw.init("lambda_balanced", imbalance=imbalance)
    with pytest.raises(DomainError, match="needs") as caught:
        start.draw(KEY, tw.LinearNet(widths))
    assert is_a_sentence(caught.value)


def test_a_lambda_balanced_bottleneck_refuses_a_matrix_of_larger_rank():
    start = tw.init("lambda_balanced", imbalance=0.5, end_to_end=np.eye(4))
    with pytest.raises(DomainError, match="rank 4"):
        start.draw(KEY, tw.LinearNet((4, 2, 4)))


def test_orthogonal_layers_have_all_singular_values_equal_to_the_gain():
    chain = tw.init("orthogonal", gain=0.7).draw(KEY, tw.LinearNet((3, 6, 6, 2)))
    for layer in chain:
        values = np.linalg.svd(np.asarray(layer), compute_uv=False)
        close(values, np.full(values.size, 0.7), ulps=16, scale=1.0)


def test_orthogonal_layers_have_no_preferred_direction():
    # For the uniform law of O(2) the trace has mean 0 and mean square 1.
    keys = jax.random.split(KEY, 4000)
    start, net = tw.init("orthogonal"), tw.LinearNet((2, 2))
    traces = jax.vmap(lambda key: jnp.trace(start.draw(key, net)[0]))(keys)
    assert abs(float(traces.mean())) <= 4 / 4000**0.5
    assert abs(float(jnp.mean(traces**2)) - 1) <= 4 * (0.5 / 4000) ** 0.5 * 2


def test_identity_layers_are_scaled_identities():
    chain = tw.init("identity", scale=0.5).draw(KEY, tw.LinearNet((2, 3, 3, 2)))
    for layer in chain:
        np.testing.assert_array_equal(layer, 0.5 * np.eye(*layer.shape))


def test_zero_asymmetric_is_identities_below_zeros():
    *below, last = tw.init("zero_asymmetric").draw(KEY, tw.LinearNet((3, 3, 3, 2)))
    assert all(np.array_equal(layer, np.eye(3)) for layer in below)
    assert not np.any(last)


@pytest.mark.parametrize("mix", [False, True])
@pytest.mark.parametrize(
    "strengths", [[0.3, 0.2, 0.1], [0.1, 0.4, 0.2], [0.2] * 3, 0.5]
)
def test_an_aligned_start_is_diagonal_in_the_targets_modes(strengths, mix):
    target = np.random.default_rng(5).standard_normal((3, 4))
    left, _, right = np.linalg.svd(target, full_matrices=False)
    start = tw.init("aligned", target=target, strengths=strengths, mix=mix)
    chain = start.draw(KEY, tw.LinearNet((4, 5, 6, 3)))
    found = left.T @ np.asarray(tw.end_to_end(chain)) @ right.T
    close(found, np.diag(np.broadcast_to(strengths, 3)), ulps=64, scale=1.0)


def test_through_a_bottleneck_the_strong_modes_are_aligned():
    target = np.diag([1.0, 3.0, 2.0])
    start = tw.init("aligned", target=target, strengths=[0.5, 0.25])
    whole = tw.end_to_end(start.draw(KEY, tw.LinearNet((3, 2, 3))))
    close(whole, np.diag([0.0, 0.5, 0.25]), ulps=16, scale=1.0)


def test_an_aligned_start_of_one_layer_is_the_matrix_itself():
    start = tw.init("aligned", target=np.diag([2.0, 1.0]), strengths=[0.2, 0.3])
    (layer,) = start.draw(KEY, tw.LinearNet((2, 2)))
    close(layer, np.diag([0.2, 0.3]), ulps=8, scale=1.0)


@pytest.mark.parametrize(
    ("strengths", "says"),
    [(-0.1, "needs every strength >= 0"), ([0.1, 0.2, 0.3], "pass one number or 2")],
)
def test_unusable_strengths_are_refused(strengths, says):
    with pytest.raises(DomainError, match=says):
        tw.init("aligned", target=np.eye(2), strengths=strengths).draw(
            KEY, tw.LinearNet((2, 2, 2))
        )


def test_explicit_weights_are_used_bit_for_bit():
    rng = np.random.default_rng(0)
    given_weights = [rng.standard_normal((4, 3)), rng.standard_normal((2, 4))]
    chain = tw.init("explicit", weights=given_weights).draw(
        KEY, tw.LinearNet((3, 4, 2))
    )
    for found, wanted in zip(chain, given_weights, strict=True):
        same_arrays(found, wanted)


def test_explicit_layers_of_a_file_are_taken_by_number(tmp_path):
    layers = {f"W{j}": np.full((1, 1), float(j)) for j in range(11, 0, -1)}
    np.savez(tmp_path / "start.npz", **layers)
    start = tw.init("explicit", weights=str(tmp_path / "start.npz"))
    chain = start.draw(KEY, tw.LinearNet((1,) * 12))
    assert [float(layer[0, 0]) for layer in chain] == [float(j) for j in range(1, 12)]


def test_explicit_layers_of_a_file_otherwise_come_in_its_order(tmp_path):
    np.savez(tmp_path / "start.npz", below=np.ones((3, 2)), above=np.ones((1, 3)))
    start = tw.init("explicit", weights=tmp_path / "start.npz")
    chain = start.draw(KEY, tw.LinearNet((2, 3, 1)))
    assert [layer.shape for layer in chain] == [(3, 2), (1, 3)]


def _text(place):
    place.write_text("W1 = 3\n", encoding="utf-8")


def _nothing(place):
    return None


def _one_array(place):
    with open(place, "wb") as file:
        np.save(file, np.eye(2))


def _objects(place):
    np.savez(place, W1=np.array([{}], dtype=object))


def _empty(place):
    place.write_bytes(b"")


@pytest.mark.parametrize("write", [_text, _nothing, _one_array, _objects, _empty])
def test_an_unreadable_file_of_weights_is_one_sentence(tmp_path, write):
    place = tmp_path / "start.npz"
    write(place)
    with pytest.raises(DataError, match="cannot be read as weights"):
        tw.init("explicit", weights=place).draw(KEY, tw.LinearNet((2, 2)))


@pytest.mark.parametrize(
    "weights",
    [[np.ones((2, 3)), np.ones((2, 4))], [np.ones((3, 2))], [np.ones((2, 3, 1))]],
)
def test_explicit_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(ShapeError, match="shape"):
        tw.init("explicit", weights=weights).draw(KEY, tw.LinearNet((3, 2)))


def test_explicit_weights_hold_numbers():
    with pytest.raises(DataError, match="layer 1 holds 1 entries that are NaN"):
        tw.init("explicit", weights=[[[np.nan]]]).draw(KEY, tw.LinearNet((1, 1)))
