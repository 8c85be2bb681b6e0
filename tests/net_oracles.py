"""Formulas of deep linear networks in plain NumPy and fractions.

Nothing here uses JAX or the package: gradients and Hessians are the sums of
products of the mathematics, written out.
"""

from fractions import Fraction

import numpy as np


def product(weights, size):
    whole = np.eye(size)
    for weight in weights:
        whole = weight @ whole
    return whole


def parts(weights, j, inputs_factor):
    """What stands above layer `j` (from 0), and what below it, the inputs included."""
    above = product(weights[j + 1 :], weights[j].shape[0])
    return above, product(weights[:j], weights[0].shape[1]) @ inputs_factor


def residual(weights, inputs_factor, labels_factor):
    return product(weights, weights[0].shape[1]) @ inputs_factor - labels_factor


def loss(weights, inputs_factor, labels_factor):
    return 0.5 * np.sum(residual(weights, inputs_factor, labels_factor) ** 2)


def gradient(weights, inputs_factor, labels_factor):
    error = residual(weights, inputs_factor, labels_factor)
    pairs = (parts(weights, j, inputs_factor) for j in range(len(weights)))
    return [above.T @ error @ below.T for above, below in pairs]


def hessian(weights, inputs_factor, labels_factor):
    """The dense Hessian, layers flattened row by row, from the second-order formula."""
    error = residual(weights, inputs_factor, labels_factor)
    basis = [
        (j, unit.reshape(weight.shape))
        for j, weight in enumerate(weights)
        for unit in np.eye(weight.size)
    ]
    above_below = [parts(weights, j, inputs_factor) for j in range(len(weights))]
    images = [above_below[j][0] @ v @ above_below[j][1] for j, v in basis]
    size = len(basis)
    matrix = np.empty((size, size))
    for a, (j, low) in enumerate(basis):
        for b, (i, high) in enumerate(basis):
            matrix[a, b] = np.sum(images[a] * images[b])
            if i > j:
                between = product(weights[j + 1 : i], weights[j].shape[0])
                bent = above_below[i][0] @ high @ between @ low @ above_below[j][1]
                matrix[a, b] += np.sum(error * bent)
    upper = np.triu(np.ones((size, size), dtype=bool))
    return np.where(upper, matrix, matrix.T)


def descent(weights, target, step_size, at, momentum=None):
    """Losses and weights at the iterations `at` of a plain loop, whitened data."""
    weights = [np.array(w, dtype=float) for w in weights]
    speed = [np.zeros_like(w) for w in weights]
    eye, rows = np.eye(weights[0].shape[1]), {}
    for iteration in range(max(at) + 1):
        if iteration in at:
            rows[iteration] = (loss(weights, eye, target), [w.copy() for w in weights])
        slopes = gradient(weights, eye, target)
        if momentum is None:
            weights = [w - step_size * g for w, g in zip(weights, slopes, strict=True)]
        else:
            speed = [
                momentum * v - step_size * g for v, g in zip(speed, slopes, strict=True)
            ]
            weights = [w + v for w, v in zip(weights, speed, strict=True)]
    return rows


def exact(matrix):
    return [[Fraction(x) for x in row] for row in np.asarray(matrix).tolist()]


def exact_product(left, right):
    columns = list(zip(*right, strict=True))
    return [
        [sum(a * b for a, b in zip(row, c, strict=True)) for c in columns]
        for row in left
    ]


def transposed(matrix):
    return [list(column) for column in zip(*matrix, strict=True)]


def exact_gradient(weights, inputs_factor, labels_factor):
    """The gradient in rational arithmetic, as lists of fractions."""
    layers, factor = [exact(w) for w in weights], exact(inputs_factor)
    below = [factor]
    for layer in layers:
        below.append(exact_product(layer, below[-1]))
    pairs = zip(below[-1], exact(labels_factor), strict=True)
    above = [[a - b for a, b in zip(*rows, strict=True)] for rows in pairs]
    slopes = []
    for j in reversed(range(len(layers))):
        slopes.append(exact_product(above, transposed(below[j])))
        above = exact_product(transposed(layers[j]), above)
    return slopes[::-1]
