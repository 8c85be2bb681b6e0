"""Critical points of every kind, and independent truth about their Hessians."""

from functools import reduce
from itertools import accumulate, pairwise

import numpy as np

import thalweg as tw

EPS = np.finfo(float).eps


def product(chain, size):
    return reduce(lambda seen, w: w @ seen, chain, np.eye(size))


def regular(rng, size):
    """An invertible matrix of condition at most two, and its inverse."""
    left, _ = np.linalg.qr(rng.standard_normal((size, size)))
    right, _ = np.linalg.qr(rng.standard_normal((size, size)))
    scales = rng.uniform(0.7, 1.4, size)
    return left * scales @ right, right.T / scales @ left.T


def labels_of(rng, values, rows, columns):
    left, _ = np.linalg.qr(rng.standard_normal((rows, rows)))
    right, _ = np.linalg.qr(rng.standard_normal((columns, columns)))
    strengths = np.zeros((rows, columns))
    strengths[range(len(values)), range(len(values))] = values
    return left, strengths, right


def loose_chain(rng, widths, missing):
    """A sparse chain of zero product that is critical for labels still missing."""
    depth = len(widths) - 1
    for _ in range(200):
        share = rng.choice([0.0, 0.15, 0.35])
        chain = [
            np.where(rng.random((b, a)) < share, rng.uniform(0.5, 1.5, (b, a)), 0.0)
            for a, b in pairwise(widths)
        ]
        if product(chain, widths[0]).any():
            continue
        slopes = (
            product(chain[: j - 1], widths[0])
            @ missing.T
            @ product(chain[j:], widths[j])
            for j in range(1, depth + 1)
        )
        if not any(slope.any() for slope in slopes):
            return chain
    return [np.zeros((b, a)) for a, b in pairwise(widths)]


def drawn(seed, widths, values, learnt, *, white=True):
    """A problem whose labels have given singular values, and a critical point.

    The normal form of Achour et al., its loose blocks drawn sparse until the gradient
    is zero; `learnt` are places from 0, widths[0] is the rank of the data.
    """
    rng = np.random.default_rng(seed)
    rows, columns, depth = widths[-1], widths[0], len(widths) - 1
    left, strengths, right = labels_of(rng, values, rows, columns)
    learnt, rank = list(learnt), len(learnt)
    others = [i for i in range(rows) if i not in learnt]
    beside = [i for i in range(columns) if i not in learnt]
    missing = strengths[np.ix_(others, beside)]
    loose = loose_chain(rng, [w - rank for w in widths], missing)
    before = np.hstack([right[:, learnt], right[:, beside]]).T
    layers = []
    for layer, block in enumerate(loose, 1):
        full = np.zeros((widths[layer], widths[layer - 1]))
        full[range(rank), range(rank)] = np.asarray(values)[learnt] if layer == 1 else 1
        full[rank:, rank:] = block
        if layer < depth:
            forth, back = regular(rng, widths[layer])
        else:
            forth, back = np.hstack([left[:, learnt], left[:, others]]), None
        layers.append(forth @ full @ before)
        before = back
    labels = left @ strengths @ right.T
    data = tw.Moments.whitened(labels)
    if not white:
        factor, inverse = regular(rng, columns)
        data = tw.Moments.from_moments(factor @ factor.T, labels @ factor.T)
        layers[0] = layers[0] @ inverse
    return tw.Problem(tw.LinearNet(tuple(widths)), data), tuple(layers)


def gradient(problem, vector):
    """By every weight, in NumPy, of a vector that may be complex."""
    data, shapes = problem.data, problem.net.shapes
    x, y = np.asarray(data.inputs_factor), np.asarray(data.labels_factor)
    parts = np.split(vector, np.cumsum([a * b for a, b in shapes])[:-1])
    chain = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
    seen = list(accumulate([x, *chain], lambda product, w: w @ product))
    back, found = seen[-1] - y, []
    for w, before in zip(chain[::-1], seen[-2::-1], strict=True):
        found.append(back @ before.T)
        back = w.T @ back
    return np.concatenate([g.ravel() for g in found[::-1]])


def hessian(problem, weights):
    """By complex steps: exact to rounding, and no second derivative's formula."""
    flat = np.concatenate([np.asarray(w).ravel() for w in weights])
    steps = 1e-30j * np.eye(len(flat))
    found = np.array([gradient(problem, flat + step).imag / 1e-30 for step in steps])
    return 0.5 * (found + found.T)


def excess(problem, weights):
    data = problem.data
    seen = product([np.asarray(w) for w in weights], problem.net.widths[0])
    gap = seen @ np.asarray(data.inputs_factor) - np.asarray(data.labels_factor)
    return 0.5 * np.sum(gap**2)
