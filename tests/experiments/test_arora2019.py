"""The parts of ACGH's figures against plain loops and finite differences."""

import numpy as np
import pytest

from thalweg.experiments._base import Workplace
from thalweg.experiments._chains import gradient, invariants, product, step
from thalweg.experiments.arora2019 import _relu
from thalweg.experiments.arora2019._fastest import NEVER, fastest, start_of
from thalweg.experiments.arora2019._starts import balanced, independent, mixed

WIDTHS = (7, 5, 4, 2)
SMALL = {
    "data": "unit_phi",
    "inputs": 3,
    "hidden": 2,
    "depths": [3],
    "stds": [0.05, 0.4, 3.0],
    "step_sizes": [0.01, 0.0316, 0.1, 0.316, 1.0],
    "accuracy": 1e-5,
    "cap": 500,
    "seeds": [0],
}


def draws() -> np.random.Generator:
    return np.random.default_rng(3)


def test_balanced_starts_are_balanced_and_multiply_to_the_matrix_drawn():
    layers = balanced(draws(), 0.3, WIDTHS)
    matrix = 0.3 * draws().standard_normal((2, 7))
    assert np.abs(product(layers) - matrix).max() < 1e-15
    assert max(np.abs(gap).max() for gap in invariants(layers)) < 1e-15


def test_mixing_keeps_product_and_balance_and_moves_every_hidden_space():
    layers = balanced(draws(), 0.3, WIDTHS)
    turned = mixed(np.random.default_rng(1), layers)
    assert np.abs(product(turned) - product(layers)).max() < 1e-15
    assert max(np.abs(gap).max() for gap in invariants(turned)) < 1e-15
    assert all(np.abs(a - b).max() > 0.01 for a, b in zip(layers, turned, strict=True))


def test_a_start_of_another_std_is_a_multiple():
    one, two = (start_of(SMALL, independent, 3, std, 5) for std in (0.1, 0.2))
    assert all(np.array_equal(2 * a, b) for a, b in zip(one, two, strict=True))


def test_the_gradient_of_a_chain_is_that_of_differences():
    target = draws().standard_normal((2, 7))
    layers = independent(draws(), 0.5, WIDTHS)
    at, place = (1, 2), 1
    losses = []
    for change in (1e-6, -1e-6):
        moved = [layer.copy() for layer in layers]
        moved[place][at] += change
        losses.append(np.sum((product(moved) - target) ** 2) / 2)
    slope = (losses[0] - losses[1]) / 2e-6
    assert gradient(target, layers)[place][at] == pytest.approx(slope, rel=1e-7)


@pytest.mark.parametrize(("kind", "place"), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2)])
def test_the_gradient_of_the_classifier_is_that_of_differences(kind, place):
    generator = draws()
    weights = independent(generator, 0.7, (6, 5, 4, 3))
    biases = [0.1 * generator.standard_normal(len(weight)) for weight in weights]
    inputs, labels = generator.random((20, 6)), generator.integers(3, size=20)
    slope = _relu.slopes((weights, biases), inputs, labels)[kind][place].flat[1]
    losses = []
    for change in (1e-6, -1e-6):
        both = ([w.copy() for w in weights], [b.copy() for b in biases])
        both[kind][place].flat[1] += change
        losses.append(_relu.cross_entropy(_relu.scores(both, inputs)[-1], labels))
    assert slope == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-6, abs=1e-9)


def test_training_lowers_the_loss_and_repeats_to_the_bit():
    generator = draws()
    pixels = generator.integers(256, size=(300, 12)).astype(np.uint8)
    labels = (pixels[:, 0] > 127).astype(np.int64)
    start = independent(generator, 0.3, (12, 8, 2))
    losses = [
        _relu.train(
            start,
            pixels,
            labels,
            rate=0.1,
            batch=25,
            epochs=epochs,
            draws=np.random.default_rng(0),
        )
        for epochs in (0, 20, 20)
    ]
    assert losses[1] == losses[2] < losses[0] / 2


def test_the_search_finds_what_brute_force_finds():
    table = fastest(SMALL, independent, Workplace())
    target = _target()
    for row, std in enumerate(SMALL["stds"]):
        counts = {}
        for size in SMALL["step_sizes"]:
            counts[size] = _count(target, start_of(SMALL, independent, 3, std, 0), size)
        best = min(counts, key=lambda size: (counts[size], size))
        least = counts[best]
        assert table["iterations"][row] == (NEVER if least == np.inf else least)
        if least < np.inf:
            assert table["step_size"][row] == best


def _target() -> np.ndarray:
    drawn = np.random.default_rng(0).standard_normal((1, SMALL["inputs"]))
    return drawn / np.linalg.norm(drawn)


def _count(target: np.ndarray, layers: list[np.ndarray], size: float) -> float:
    for iteration in range(SMALL["cap"] + 1):
        loss = np.sum((product(layers) - target) ** 2) / 2
        if loss <= SMALL["accuracy"]:
            return iteration
        if loss > 1e12:
            return np.inf
        layers = step(target, layers, size)
    return np.inf
