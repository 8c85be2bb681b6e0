"""A classifier of fully connected ReLU layers, trained by SGD in NumPy."""

from collections.abc import Iterator

import numpy as np

Parameters = tuple[list[np.ndarray], list[np.ndarray]]
"""Weights, first-applied first, and biases."""


def scores(parameters: Parameters, inputs: np.ndarray) -> list[np.ndarray]:
    """Return the inputs of every layer, and last the scores of the classes."""
    weights, biases = parameters
    seen = [inputs]
    for place, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        out = seen[-1] @ weight.T + bias
        seen.append(out if place == len(weights) - 1 else np.maximum(out, 0.0))
    return seen


def chances(scored: np.ndarray) -> np.ndarray:
    """Return the softmax of scores, row by row."""
    raised = np.exp(scored - scored.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def cross_entropy(scored: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean cross-entropy of scores."""
    top = scored.max(axis=1)
    total = top + np.log(np.sum(np.exp(scored - top[:, None]), axis=1))
    return float(np.mean(total - scored[np.arange(len(labels)), labels]))


def slopes(
    parameters: Parameters, inputs: np.ndarray, labels: np.ndarray
) -> Parameters:
    """Return the gradient of the mean cross-entropy."""
    weights, _ = parameters
    seen = scores(parameters, inputs)
    pulled = chances(seen[-1])
    pulled[np.arange(len(labels)), labels] -= 1
    pulled /= len(labels)
    of_weights, of_biases = [], []
    for place in reversed(range(len(weights))):
        of_weights.append(pulled.T @ seen[place])
        of_biases.append(pulled.sum(axis=0))
        if place:
            pulled = (pulled @ weights[place]) * (seen[place] > 0)
    return of_weights[::-1], of_biases[::-1]


def train(
    weights: list[np.ndarray],
    pixels: np.ndarray,
    labels: np.ndarray,
    *,
    rate: float,
    batch: int,
    epochs: int,
    draws: np.random.Generator,
) -> float:
    """Return the training loss after some epochs of SGD from zero biases.

    Args:
        weights: The start; left as it is.
        pixels: Bytes, `"sample in"`; the network sees them divided by the largest.
        labels: Classes, `"sample"`.
        rate: Step size.
        batch: Samples a step; what does not fill one is left out.
        epochs: How often the samples are seen, reshuffled every time.
        draws: Decides their order.

    Returns:
        The mean cross-entropy over all training samples; infinite beyond float64.
    """
    whole = float(pixels.max())
    weights = [weight.copy() for weight in weights]
    biases = [np.zeros(len(weight)) for weight in weights]
    with np.errstate(over="ignore", invalid="ignore"):
        for chosen in _batches(len(labels), batch, epochs, draws):
            inputs = pixels[chosen] / whole
            changes = slopes((weights, biases), inputs, labels[chosen])
            for held, change in zip((weights, biases), changes, strict=True):
                for parameter, slope in zip(held, change, strict=True):
                    parameter -= rate * slope
        parts = [
            cross_entropy(
                scores((weights, biases), pixels[first : first + 5000] / whole)[-1],
                labels[first : first + 5000],
            )
            * len(labels[first : first + 5000])
            for first in range(0, len(labels), 5000)
        ]
    loss = sum(parts) / len(labels)
    return loss if np.isfinite(loss) else float("inf")


def _batches(
    samples: int, batch: int, epochs: int, draws: np.random.Generator
) -> Iterator[np.ndarray]:
    for _ in range(epochs):
        order = draws.permutation(samples)
        for first in range(0, samples - batch + 1, batch):
            yield order[first : first + batch]
