"""Random problems of every sort, and counts of critical points written out again."""

from itertools import pairwise

import numpy as np

from thalweg.problem.moments import Moments
from thalweg.problem.nets import LinearNet
from thalweg.problem.problem import Problem


def diagonal(values, widths):
    target = np.zeros((widths[-1], widths[0]))
    np.fill_diagonal(target, values)
    return Problem(LinearNet(tuple(widths)), Moments.whitened(target))


def rotation(rng, size):
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


def random_problem(rng, depth, widest=4, most=60):
    """White, tied, unwhitened (perhaps redundant) or rank-deficient data."""
    while True:
        widths = tuple(map(int, rng.integers(1, widest + 1, depth + 1)))
        if sum(a * b for a, b in pairwise(widths)) <= most:
            break
    first, last = widths[0], widths[-1]
    sort = int(rng.integers(4))
    if sort == 0:
        data = Moments.whitened(rng.standard_normal((last, first)))
    elif sort == 1:
        size = min(first, last)
        values = np.sort(rng.integers(0, 3, size))[::-1].astype(float)
        left, right = rotation(rng, last)[:, :size], rotation(rng, first)[:, :size]
        data = Moments.whitened((left * values) @ right.T)
    elif sort == 2:
        samples = int(rng.integers(1, 8))
        inputs = rng.standard_normal((samples, first))
        data = Moments.from_data(inputs, rng.standard_normal((samples, last)))
    else:
        rank = int(rng.integers(0, min(first, last) + 1))
        inputs = rng.standard_normal((12, first))
        through = rng.standard_normal((first, rank)) @ rng.standard_normal((rank, last))
        data = Moments.from_data(inputs, inputs @ through)
    return Problem(LinearNet(widths), data)


def arrays(weights):
    return [np.asarray(layer) for layer in weights]


def data_of(problem):
    inputs = np.asarray(problem.data.inputs_factor)
    return inputs, np.asarray(problem.data.labels_factor)


def learnt_share(weights, problem):
    """The matrix that is the projector on the learnt left modes at a critical point."""
    inputs, labels = data_of(problem)
    product = np.eye(inputs.shape[0])
    for layer in weights:
        product = layer @ product
    return product @ inputs @ np.linalg.pinv(labels, rcond=1e-10)


def tangent_dimension(weights, problem, projector):
    """Dimension of the orbit of a critical point, by the rank of its tangent.

    Hidden changes of basis; changes of output and of input space that leave the labels
    not learnt alone and act on nothing else; rotations that leave the labels alone.
    """
    inputs, labels = data_of(problem)
    layers = [weights[0] @ inputs, *weights[1:]]
    rest = (np.eye(len(labels)) - projector) @ labels
    rows = []

    def add(changes):
        parts = [np.zeros_like(layer) for layer in layers]
        for space, change in changes.items():
            if space > 0:
                parts[space - 1] = parts[space - 1] + change @ layers[space - 1]
            if space < len(layers):
                parts[space] = parts[space] - layers[space] @ change
        rows.append(np.concatenate([part.ravel() for part in parts]))

    for space in range(1, len(layers)):
        size = layers[space - 1].shape[0]
        for index in np.ndindex(size, size):
            unit = np.zeros((size, size))
            unit[index] = 1.0
            add({space: unit})
    last, first = labels.shape
    _, sizes, rows_of = np.linalg.svd(projector @ labels)
    kept = rows_of[: np.sum(sizes > 1e-9)]
    seen = kept.T @ kept
    left, right = np.eye(last) - projector, np.eye(first) - seen
    for bottom, top in end_changes(rest, left, right):
        add({0: bottom, len(layers): top})
    for bottom, top in rotations(labels):
        add({0: bottom, len(layers): top})
    unseen = weights[0].shape[0] * (weights[0].shape[1] - first)
    return np.linalg.matrix_rank(np.array(rows), tol=1e-7) + unseen


def end_changes(rest, left, right):
    """All pairs on the complements with `bottom @ rest.T = rest.T @ top`."""
    last, first = rest.shape
    columns = []
    for size, keep in ((first, right), (last, left)):
        for index in np.ndindex(size, size):
            unit = np.zeros((size, size))
            unit[index] = 1.0
            columns.append(keep @ unit @ keep)
    equations = [
        ((c @ rest.T) if place < first**2 else -(rest.T @ c)).ravel()
        for place, c in enumerate(columns)
    ]
    matrix = np.array(equations).T
    _, sizes, basis = np.linalg.svd(matrix)
    for vector in basis[np.sum(sizes > 1e-9) :]:
        pairs = list(zip(vector, columns, strict=True))
        yield (
            sum(x * c for x, c in pairs[: first**2]),
            sum(x * c for x, c in pairs[first**2 :]),
        )


def rotations(labels):
    """All pairs of antisymmetric matrices with `top @ labels = labels @ bottom`."""
    last, first = labels.shape

    def units(size):
        for i in range(size):
            for j in range(i):
                unit = np.zeros((size, size))
                unit[i, j], unit[j, i] = 1.0, -1.0
                yield unit

    bottoms, tops = list(units(first)), list(units(last))
    matrix = np.array(
        [(-labels @ b).ravel() for b in bottoms] + [(t @ labels).ravel() for t in tops]
    ).T
    if not matrix.size:
        return
    _, sizes, basis = np.linalg.svd(matrix)
    for vector in basis[np.sum(sizes > 1e-9) :]:
        low, high = vector[: len(bottoms)], vector[len(bottoms) :]
        yield (
            sum(
                (x * b for x, b in zip(low, bottoms, strict=True)),
                np.zeros((first,) * 2),
            ),
            sum(
                (x * t for x, t in zip(high, tops, strict=True)), np.zeros((last,) * 2)
            ),
        )
