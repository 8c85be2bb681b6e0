"""Plain NumPy nets and descents: the truth the certificates are held against."""

import jax.numpy as jnp
import numpy as np

import thalweg as tw

FAR = 1e6
"""Weights beyond this have left for infinity."""


def draw_net(rng, deepest=5, widest=6, wide=False):
    """Return a random problem with its factors in NumPy."""
    depth = int(rng.integers(1, deepest + 1))
    widths = [int(w) for w in rng.integers(1, widest + 1, depth + 1)]
    if rng.random() < 0.4:
        widths = [widths[0]] * (depth + 1)
    elif wide:
        ends = min(widths[0], widths[-1])
        widths[1:-1] = [max(w, ends) for w in widths[1:-1]]
    if rng.random() < 0.5:
        data = tw.Moments.whitened(rng.standard_normal((widths[-1], widths[0])))
    else:
        samples = int(rng.integers(1, 14))
        scales = np.exp(0.5 * rng.standard_normal(widths[0]))
        data = tw.Moments.from_data(
            rng.standard_normal((samples, widths[0])) * scales,
            rng.standard_normal((samples, widths[-1])),
        )
    return tw.Problem(tw.LinearNet(tuple(widths)), data)


def factors(problem):
    if isinstance(problem, tw.Playground):
        return np.ones((1, 1)), np.ones((1, 1))
    return np.asarray(problem.data.inputs_factor), np.asarray(
        problem.data.labels_factor
    )


def gaussian(rng, problem, size=1.0):
    return [
        size * rng.standard_normal(shape) / np.sqrt(shape[1])
        for shape in problem.net.shapes
    ]


def near_target(rng, problem, share, noise):
    """Return a nearly balanced start whose map is about a share of the target."""
    goal = share * jnp.asarray(problem.target)
    chain = tw.linalg.chain.balanced_factors(goal, problem.net.widths)
    return [np.asarray(w) + noise * rng.standard_normal(w.shape) for w in chain]


def residual(layers, problem):
    inputs, labels = factors(problem)
    product = inputs
    for layer in layers:
        product = layer @ product
    return product - labels


def gradients(layers, problem):
    inputs, _ = factors(problem)
    below, above = [inputs], [np.eye(layers[-1].shape[0])]
    for layer in layers[:-1]:
        below.append(layer @ below[-1])
    for layer in layers[:0:-1]:
        above.append(above[-1] @ layer)
    error = residual(layers, problem)
    return [a.T @ error @ b.T for a, b in zip(above[::-1], below, strict=True)]


def descend(layers, problem, step, iterations):
    """Return the iterates of plain gradient descent, the start first."""
    found = [[np.array(w) for w in layers]]
    for _ in range(iterations):
        pairs = zip(found[-1], gradients(found[-1], problem), strict=True)
        found.append([w - step * g for w, g in pairs])
        if max(np.abs(w).max() for w in found[-1]) > FAR:
            break
    return found


def diverged(iterates):
    return max(np.abs(w).max() for w in iterates[-1]) > FAR


def losses(iterates, problem):
    """Return the excess losses above the constant part."""
    return np.array([0.5 * np.sum(residual(w, problem) ** 2) for w in iterates])


def distance(one, other):
    return np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(one, other, strict=True)))


def jacobian(layers, problem):
    """Return the residual's derivative as a matrix, column by column of it."""
    inputs, _ = factors(problem)
    below, above = [inputs], [np.eye(layers[-1].shape[0])]
    for layer in layers[:-1]:
        below.append(layer @ below[-1])
    for layer in layers[:0:-1]:
        above.append(above[-1] @ layer)
    blocks = [np.kron(b.T, a) for a, b in zip(above[::-1], below, strict=True)]
    return np.concatenate(blocks, axis=1)


def below(found, bound, start, problem):
    """Whether losses stay below bounds, but for what floats do to a residual."""
    sizes = [np.linalg.norm(w) for w in (*factors(problem), *start)]
    size = sizes[1] + sizes[0] * np.prod(np.maximum(sizes[2:], 1.0))
    slip = 64 * np.finfo(np.float64).eps * size
    return bool(np.all(np.sqrt(found) <= np.sqrt(bound) * (1 + 1e-9) + slip))
