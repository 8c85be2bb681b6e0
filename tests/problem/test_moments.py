"""Moments: the reduction, whitening, and what is refused at the door."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg._core.errors import DataError, DomainError, ShapeError, UnknownName
from thalweg.problem.moments import Moments

EPS = np.finfo(np.float64).eps


def samples(seed=0, count=40, features=6, outputs=3):
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((count, features)) * 10.0 ** rng.integers(
        -3, 4, features
    )
    labels = inputs @ rng.standard_normal((features, outputs)) + rng.standard_normal(
        (count, outputs)
    )
    return inputs + rng.standard_normal(features) * np.abs(inputs).max(axis=0), labels


def raw_loss(weights, inputs, labels, scale="mean"):
    divided = len(inputs) if scale == "mean" else 1
    return np.sum((inputs @ np.asarray(weights).T - labels) ** 2) / 2 / divided


def reduced_loss(moments, weights):
    gap = weights @ np.asarray(moments.inputs_factor) - np.asarray(
        moments.labels_factor
    )
    return np.sum(gap**2) / 2 + float(moments.constant)


def shown(inputs, labels, center):
    inputs = inputs - inputs.mean(axis=0) if center else inputs
    return inputs, labels - labels.mean(axis=0) if center is True else labels


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-13 * np.abs(expected).max())


@pytest.mark.parametrize("center", [False, True, "inputs"])
@pytest.mark.parametrize("scale", ["mean", "sum"])
@pytest.mark.parametrize("whiten", [False, True])
def test_the_loss_is_that_of_the_samples(center, scale, whiten):
    inputs, labels = samples()
    moments = Moments.from_data(
        inputs, labels, center=center, scale=scale, whiten=whiten
    )
    coordinates = np.asarray(moments.to_coordinates(inputs))
    weights = np.random.default_rng(1).standard_normal((3, moments.inputs_width))
    expected = raw_loss(weights, coordinates, shown(inputs, labels, center)[1], scale)
    np.testing.assert_allclose(reduced_loss(moments, weights), expected, rtol=1e-11)


@pytest.mark.parametrize("center", [False, True, "inputs"])
def test_target_and_constant_are_those_of_least_squares(center):
    inputs, labels = samples()
    moments = Moments.from_data(inputs, labels, center=center)
    known, wanted = shown(inputs, labels, center)
    oracle = np.linalg.lstsq(known, wanted)[0].T
    np.testing.assert_allclose(
        known @ np.asarray(moments.target).T, known @ oracle.T, atol=1e-9
    )
    np.testing.assert_allclose(
        float(moments.constant), raw_loss(oracle, known, wanted), rtol=1e-12
    )


@pytest.mark.parametrize("scale", ["mean", "sum"])
def test_second_moments_are_the_products(scale):
    inputs, labels = samples()
    moments = Moments.from_data(inputs, labels, scale=scale)
    divided = len(inputs) if scale == "mean" else 1
    close(moments.xx, inputs.T @ inputs / divided)
    close(moments.yx, labels.T @ inputs / divided)
    close(moments.yy, labels.T @ labels / divided)
    assert moments.scale == scale


def test_mean_and_sum_differ_by_the_number_of_samples():
    inputs, labels = samples()
    mean = Moments.from_data(inputs, labels, scale="mean")
    total = Moments.from_data(inputs, labels, scale="sum")
    np.testing.assert_allclose(total.constant, 40 * mean.constant, rtol=1e-13)
    np.testing.assert_allclose(total.target, mean.target, rtol=1e-9)
    assert mean.samples == total.samples == 40


def test_target_has_least_norm_where_features_are_dependent():
    inputs, labels = samples()
    inputs = np.hstack([inputs, inputs[:, :1] - inputs[:, 1:2], inputs[:, 2:3]])
    moments = Moments.from_data(inputs, labels)
    assert moments.rank == 6
    oracle = labels.T @ np.linalg.pinv(inputs.T, rcond=1e-12)
    np.testing.assert_allclose(moments.target, oracle, rtol=1e-7, atol=1e-9)


def test_the_constant_has_no_cancellation():
    inputs, _ = samples()
    weights = np.ones((2, 6))
    labels = 1e6 * inputs @ weights.T
    moments = Moments.from_data(inputs, labels)
    assert float(moments.constant) <= (1e3 * EPS * np.abs(labels).max()) ** 2


def test_more_features_than_samples():
    rng = np.random.default_rng(3)
    inputs, labels = rng.standard_normal((10, 25)), rng.standard_normal((10, 2))
    moments = Moments.from_data(inputs, labels, center=True, whiten=True)
    assert moments.rank == moments.inputs_width == 9
    assert float(moments.constant) < 1e-28
    unwhitened = Moments.from_data(inputs, labels, center=True)
    assert (unwhitened.inputs_width, unwhitened.rank) == (25, 9)


@pytest.mark.parametrize("center", [False, True])
def test_whitened_coordinates_are_white(center):
    inputs, labels = samples()
    moments = Moments.from_data(inputs, labels, center=center, whiten=True)
    z = np.asarray(moments.to_coordinates(inputs))
    assert np.linalg.norm(z.T @ z / len(z) - np.eye(moments.rank)) <= 1e-12
    np.testing.assert_array_equal(moments.inputs_factor, np.eye(moments.rank))
    assert moments.is_whitened


def test_whitened_predictions_on_raw_inputs_are_least_squares():
    inputs, labels = samples()
    moments = Moments.from_data(
        inputs, labels, center=True, whiten=True, rescale="standard"
    )
    predicted = moments.to_labels(moments.to_coordinates(inputs) @ moments.target.T)
    design = np.hstack([inputs, np.ones((40, 1))])
    scaled = design / np.abs(design).max(axis=0)
    fitted = scaled @ np.linalg.lstsq(scaled, labels)[0]
    np.testing.assert_allclose(predicted, fitted, atol=1e-10 * np.abs(labels).max())


def test_signs_do_not_depend_on_the_order_of_samples():
    inputs, labels = samples()
    order = np.random.default_rng(5).permutation(len(inputs))
    one = Moments.from_data(inputs, labels, center=True, whiten=True)
    other = Moments.from_data(inputs[order], labels[order], center=True, whiten=True)
    np.testing.assert_allclose(one.target, other.target, rtol=1e-9, atol=1e-9)


@given(seed=st.integers(0, 10_000))
def test_whitening_forgets_every_change_of_units(seed):
    inputs, labels = samples(seed)
    rng = np.random.default_rng(seed)
    mixed = inputs * 10.0 ** rng.integers(-5, 6, 6) + rng.standard_normal(6)
    one = Moments.from_data(inputs, labels, center=True, whiten=True)
    other = Moments.from_data(mixed, labels, center=True, whiten=True)
    np.testing.assert_allclose(
        np.linalg.svd(one.target, compute_uv=False),
        np.linalg.svd(other.target, compute_uv=False),
        rtol=1e-6,
    )


@pytest.mark.parametrize("whiten", [False, True])
def test_bias_learns_the_mean_of_the_labels(whiten):
    inputs, labels = samples()
    moments = Moments.from_data(inputs, labels, center=True, whiten=whiten, bias=True)
    np.testing.assert_allclose(moments.target[:, -1], labels.mean(axis=0), rtol=1e-10)
    z = np.asarray(moments.to_coordinates(inputs))
    np.testing.assert_array_equal(z[:, -1], 1.0)


@pytest.mark.parametrize("scale", ["mean", "sum"])
@pytest.mark.parametrize(
    ("center", "whiten"), [(False, False), (True, False), (True, True)]
)
def test_the_loss_with_bias_is_that_of_the_samples(scale, center, whiten):
    inputs, labels = samples()
    moments = Moments.from_data(
        inputs, labels, center=center, whiten=whiten, scale=scale, bias=True
    )
    z = np.asarray(moments.to_coordinates(inputs))
    weights = np.random.default_rng(2).standard_normal((3, z.shape[1]))
    np.testing.assert_allclose(
        reduced_loss(moments, weights),
        raw_loss(weights, z, labels, scale),
        rtol=1e-11,
    )


def test_bias_alone_learns_the_mean():
    moments = Moments.from_data(np.zeros((4, 2)), [1.0, 2.0, 3.0, 6.0], bias=True)
    np.testing.assert_allclose(moments.target, [[0.0, 0.0, 3.0]], atol=1e-14)


@pytest.mark.parametrize("whiten", [False, True])
def test_unit_labels_give_a_target_of_norm_one(whiten):
    moments = Moments.from_data(*samples(), center=True, whiten=whiten, rescale="unit")
    np.testing.assert_allclose(jnp.linalg.norm(moments.target), 1.0, rtol=1e-12)
    assert len(set(moments.preparation.label_scales)) == 1


def test_standard_labels_have_unit_variance():
    inputs, labels = samples()
    moments = Moments.from_data(inputs, labels, center=True, rescale="standard")
    np.testing.assert_allclose(jnp.diag(moments.yy), 1.0, rtol=1e-13)
    np.testing.assert_allclose(
        moments.preparation.label_scales, labels.std(axis=0), rtol=1e-13
    )


def test_hand_computed_example():
    inputs = np.array([[1.0, 1], [-1, 1], [1, -1], [-1, -1]])
    moments = Moments.from_data(inputs, [2, 0, 1, 1])
    np.testing.assert_allclose(moments.target, [[0.5, 0.0]], atol=1e-15)
    np.testing.assert_allclose(moments.constant, 0.625, rtol=1e-15)
    np.testing.assert_allclose(reduced_loss(moments, np.ones((1, 2))), 1.25, rtol=1e-15)


def test_the_record_names_what_was_dropped():
    inputs, labels = samples(features=4)
    inputs = np.column_stack([inputs, np.full(40, 0.1), inputs[:, 1]])
    moments = Moments.from_data(
        inputs, labels, center=True, feature_names=tuple("abcdef"), note="from a test"
    )
    record = moments.preparation
    assert (record.features, record.rank) == (6, 4)
    assert record.constant == (4,)
    assert record.duplicates == ((1, 5),)
    assert record.largest_neglected < 1e-14 < record.smallest_kept
    text = "\n".join(record.lines())
    assert "constant, so dropped: e" in text
    assert "equal features: b, f" in text
    assert "centred: inputs and labels" in text
    assert text.endswith("from a test")


def test_without_centring_a_constant_feature_counts():
    inputs, labels = samples(features=3)
    inputs = np.column_stack([inputs, np.ones(40), np.zeros(40)])
    moments = Moments.from_data(inputs, labels)
    assert moments.rank == 4
    assert moments.preparation.constant == (4,)


def test_rank_is_found_far_from_zero():
    rng = np.random.default_rng(0)
    times = 1.7e9 + 1e3 * rng.random((50, 1))
    inputs = np.hstack([times, rng.random((50, 1)), times + 0.1])
    assert Moments.from_data(inputs, rng.random(50), center=True).rank == 2


def test_single_precision_does_not_hide_dependence():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((50, 3))
    inputs = np.column_stack([inputs, inputs.sum(axis=1)]).astype(np.float32)
    assert Moments.from_data(inputs, rng.random(50)).rank == 3


def test_no_squares_of_singular_values():
    rng = np.random.default_rng(0)
    first, noise = rng.standard_normal((200, 1)), rng.standard_normal((200, 1))
    inputs = np.hstack([first, first + 1e-8 * noise])
    moments = Moments.from_data(inputs, noise[:, 0], center=True, whiten=True)
    assert moments.rank == 2
    assert float(moments.constant) < 1e-14


@pytest.mark.parametrize("size", [1e-120, 1e120])
def test_units_may_be_extreme(size):
    inputs, labels = samples()
    moments = Moments.from_data(size * inputs, labels, center=True, whiten=True)
    plain = Moments.from_data(inputs, labels, center=True, whiten=True)
    np.testing.assert_allclose(moments.target, plain.target, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("inputs", "labels", "options", "error", "message"),
    [
        (np.ones(4), np.ones(4), {}, ShapeError, r"reshape it to \(samples, 1\)"),
        (np.ones((2, 2, 2)), np.ones(2), {}, ShapeError, "two axes"),
        (np.eye(4), np.ones(3), {}, ShapeError, "4 samples and labels 3"),
        (np.zeros((0, 2)), np.zeros(0), {}, ShapeError, "at least one sample"),
        (np.zeros((3, 0)), np.zeros(3), {}, ShapeError, "at least one sample"),
        ([["a", "b"]], [1.0], {}, DataError, "not a real number"),
        ([[1.0], [2j]], [1.0, 2], {}, DataError, "not a real number"),
        (
            [[1.0, 2], [np.nan, np.inf]],
            [1.0, 2],
            {},
            DataError,
            "inputs holds 2 values .* row 2, column 1",
        ),
        (np.eye(2), [1.0, np.nan], {}, DataError, "labels holds 1 value"),
        ([[1e200], [1.0]], [1.0, 2], {}, DataError, "leaves float64"),
        (np.ones((1, 2)), [1.0], {"center": True}, DataError, "single sample"),
        (np.ones((3, 2)), np.arange(3), {"center": True}, DataError, "all 2 features"),
        (np.zeros((3, 2)), np.arange(3), {}, DataError, "all 2 features are zero"),
        (np.eye(3), np.ones(3), {"rescale": "standard"}, DataError, "label 1 is const"),
        (
            [[1.0], [-1], [0]],
            [1.0, 1, -2],
            {"rescale": "unit"},
            DataError,
            "no label depends",
        ),
        (np.eye(3), np.ones(3), {"rescale": "units"}, UnknownName, "mean 'unit'"),
        (np.eye(3), np.ones(3), {"scale": "average"}, UnknownName, "list of scales"),
        (np.eye(3), np.ones(3), {"feature_names": ("a",)}, ShapeError, "1 names for 3"),
        (np.eye(3), np.ones(3), {"center": "labels"}, DomainError, "or 'inputs'"),
        (
            np.eye(3),
            np.ones(3),
            {"bias": True, "whiten": True},
            DomainError,
            "pass center=True",
        ),
    ],
)
def test_bad_samples_are_refused(inputs, labels, options, error, message):
    with pytest.raises(error, match=message):
        Moments.from_data(inputs, labels, **options)


def test_whitened_is_the_pure_problem():
    target = np.arange(6.0).reshape(2, 3)
    moments = Moments.whitened(target)
    np.testing.assert_array_equal(moments.target, target)
    np.testing.assert_array_equal(moments.xx, np.eye(3))
    assert float(moments.constant) == 0.0
    assert moments.samples is None
    assert (moments.inputs_width, moments.outputs_width, moments.rank) == (3, 2, 3)
    assert moments.preparation.lines() == ["given as a target of white inputs"]


def test_whitened_refuses_a_vector():
    with pytest.raises(ShapeError, match=r"target\[None, :\]"):
        Moments.whitened(np.ones(3))


def test_whitened_inside_compiled_code():
    loss = jax.jit(lambda target: jnp.sum(Moments.whitened(target).yx ** 2))
    assert float(loss(jnp.ones((2, 3)))) == 6.0


def test_moments_are_a_pytree_of_float64():
    moments = Moments.from_data(*samples(), center=True, whiten=True)
    leaves, structure = jax.tree.flatten(moments)
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float64")}
    again = jax.tree.unflatten(structure, leaves)
    assert again.preparation == moments.preparation
    assert hash(structure) == hash(jax.tree.structure(again))
    np.testing.assert_array_equal(jax.jit(lambda m: m.target)(moments), moments.target)


def test_moments_are_frozen():
    moments = Moments.whitened(np.eye(2))
    with pytest.raises(AttributeError, match=r"[Cc]annot|frozen"):
        moments.samples = 3


def test_coordinates_need_samples():
    with pytest.raises(DataError, match="no raw inputs"):
        Moments.whitened(np.eye(2)).to_coordinates(np.eye(2))


def test_coordinates_need_the_same_features():
    moments = Moments.from_data(*samples())
    with pytest.raises(ShapeError, match="made from 6"):
        moments.to_coordinates(np.ones((2, 5)))
