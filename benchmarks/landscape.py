"""The landscape: spectra, conservation laws, basins, beside the usual ways to them."""

import itertools
import time
from collections import defaultdict
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse.linalg as sparse
import torch
from jax.flatten_util import ravel_pytree

import thalweg as tw
from benchmarks.problems import problem
from benchmarks.timing import Row, Table, paced, race


def spectra(quick: bool) -> Table:
    """Race whole spectra and their ends, against autodiff and LAPACK or ARPACK."""
    widths = (6, 12, 12, 6) if quick else (10, 32, 32, 10)
    draw = np.random.default_rng(0).standard_normal
    posed = problem(widths, draw((widths[-1], widths[0])) / 3)
    weights = tuple(
        jnp.asarray(draw((b, a)) / a**0.5) for a, b in itertools.pairwise(widths)
    )
    loss = partial(_torch_loss, target=np.array(posed.target))
    told = "-".join(map(str, widths))
    whole = race(
        f"all {posed.net.parameters:,} eigenvalues, {told}",
        {
            "thalweg": lambda: [tw.hessian_spectrum(posed, weights).values],
            "jax.hessian, eigvalsh": lambda: [_by_jax(posed, weights)],
            "torch.func.hessian, eigvalsh": lambda: [_by_torch(loss, weights)],
        },
        rounds=3,
        within=1e-9,
    )
    ends = race(
        f"the 5 largest, {told}",
        {
            "thalweg": lambda: [tw.hessian_spectrum(posed, weights, top=5).values],
            "ARPACK on torch products": lambda: [_by_arpack(loss, weights, 5)],
        },
        rounds=3,
        within=1e-6,
    )
    return Table(
        "Spectra of the Hessian",
        "Float64; all contestants agree to 1e-9 (the ends to 1e-6).",
        [*whole, *ends],
    )


def laws(quick: bool) -> Table:
    """Time counts of conservation laws against brackets of polynomials."""
    rows: list[Row] = []
    nets = ("2-2-2", "1-2-2-1") if quick else ("2-2-2", "1-2-2-1", "3-3-3", "2-3-3-2")
    for net in nets:
        rows += race(
            net,
            {
                "thalweg": lambda n=net: [np.array(tw.count_laws(n, prove=False).laws)],
                "thalweg, proved": lambda n=net: [np.array(tw.count_laws(n).laws)],
                "brackets of polynomials": lambda n=net: [np.array(_by_brackets(n))],
            },
            rounds=3,
            within=0.0,
            goals={"thalweg": "< 0.05 s", "thalweg, proved": "< 1 s"},
        )
    large = () if quick else ("4-4-4-4", "5-5-5", "5-5-4-4-5", "10-10-10-10")
    for net in large:
        for prove, goal in ((False, "< 0.05 s"), (True, "< 1 s")):
            seconds, first, _ = paced(lambda n=net, p=prove: tw.count_laws(n, prove=p))
            who = "thalweg, proved" if prove else "thalweg"
            rows.append(
                {"what": net, "who": who, "seconds": seconds, "first call": first,
                 "goal": goal if net != "10-10-10-10" else None}
            )  # fmt: skip
    return Table(
        "Conservation laws counted",
        "Of all data and losses. The rival takes brackets of the gradient fields as "
        "polynomials, as the authors of the count do, and their rank in floats.",
        rows,
    )


def basins(quick: bool) -> Table:
    """Time many starts to their ends, against one batched loop for all of them."""
    rows: list[Row] = []
    runs = 2_000 if quick else 100_000
    for widths in ((2, 2, 2), (2, 2, 2, 2)):
        rows.append(_many(widths, np.diag([2.0, 1.0]), runs, "< 60 s"))
    rows.append(_rival((2, 2, 2, 2), np.diag([2.0, 1.0]), runs // 100))
    wide = (10,) * 4
    rows.append(_many(wide, np.diag(np.linspace(2, 1, 10)), runs // 10, "minutes"))
    return Table(
        "Basins",
        "Gaussian starts of standard deviation 1 (0.5 at width 10), each followed to "
        "the share of the labels' energy that counts as arrival. The rival steps all "
        "starts at once, in compiled JAX, at a step that suits all but one in a "
        "hundred, until all have arrived or 100,000 steps are spent; it does not "
        "say what became of the others.",
        rows,
    )


def _many(widths: tuple[int, ...], target: np.ndarray, runs: int, goal: str) -> Row:
    posed = problem(widths, target)
    std = 0.5 if widths[0] > 5 else 1.0
    begun = time.perf_counter()
    found = tw.basins(posed, "gaussian", std=std, runs=runs)
    seconds = time.perf_counter() - begun
    return {
        "what": f"{runs:,} starts of {'-'.join(map(str, widths))}",
        "who": "thalweg",
        "seconds": seconds,
        "starts a second": runs / seconds,
        "undecided": found.share("undecided").successes,
        "goal": goal,
    }


def _rival(widths: tuple[int, ...], target: np.ndarray, runs: int) -> Row:
    """Return the time of the loop one would write: all starts until the last ends."""
    posed = problem(widths, target)
    found = tw.basins(posed, "gaussian", std=1.0, runs=min(runs, 2_000))
    step = float(np.quantile(found.columns.step_size, 0.01))
    keys = jax.random.split(jax.random.key(0), runs)
    starts = jax.vmap(lambda key: tw.init("gaussian", std=1.0).draw(key, posed.net))(
        keys
    )

    def loss(weights: tuple[jax.Array, ...]) -> jax.Array:
        product = weights[0]
        for layer in weights[1:]:
            product = layer @ product
        return 0.5 * jnp.sum((product - target) ** 2)

    @jax.jit
    def followed(weights: tuple[jax.Array, ...]) -> jax.Array:
        grads = jax.vmap(jax.value_and_grad(loss))

        def going(state: tuple[jax.Array, tuple[jax.Array, ...], jax.Array]) -> bool:
            return (state[0] < 100_000) & (jnp.max(state[2]) > 2.5e-6)

        def step_all(state):
            value, slope = grads(state[1])
            moved = jax.tree.map(lambda w, g: w - step * g, state[1], slope)
            return state[0] + 1, moved, jnp.where(jnp.isfinite(value), value, 0.0)

        first = jnp.full(runs, jnp.inf)
        return jax.lax.while_loop(going, step_all, (0, weights, first))[0]

    begun = time.perf_counter()
    jax.block_until_ready(followed(starts))
    seconds = time.perf_counter() - begun
    return {
        "what": f"{runs:,} starts of {'-'.join(map(str, widths))}",
        "who": "one batched JAX loop, one step size",
        "seconds": seconds,
        "starts a second": runs / seconds,
    }


def _by_jax(posed: tw.Problem, weights: tuple[jax.Array, ...]) -> np.ndarray:
    flat, restore = ravel_pytree(weights)
    matrix = jax.hessian(lambda v: posed.excess_loss(restore(v)))(flat)
    return np.linalg.eigvalsh(np.asarray(matrix))[::-1]


def _torch_loss(vector: torch.Tensor, shapes: list, target: np.ndarray) -> torch.Tensor:
    product, place = None, 0
    for rows, columns in shapes:
        layer = vector[place : place + rows * columns].reshape(rows, columns)
        product = layer if product is None else layer @ product
        place += rows * columns
    return 0.5 * ((product - torch.as_tensor(target)) ** 2).sum()


def _by_torch(loss: partial, weights: tuple[jax.Array, ...]) -> np.ndarray:
    shapes = [layer.shape for layer in weights]
    vector = torch.as_tensor(np.concatenate([np.ravel(w) for w in weights]))
    matrix = torch.func.hessian(lambda v: loss(v, shapes))(vector)
    return np.linalg.eigvalsh(matrix.numpy())[::-1]


def _by_arpack(loss: partial, weights: tuple[jax.Array, ...], top: int) -> np.ndarray:
    shapes = [layer.shape for layer in weights]
    vector = torch.as_tensor(np.concatenate([np.ravel(w) for w in weights]))
    vector.requires_grad_(True)
    slope = torch.autograd.grad(loss(vector, shapes), vector, create_graph=True)[0]

    def product(direction: np.ndarray) -> np.ndarray:
        seed = torch.as_tensor(np.ravel(direction))
        (image,) = torch.autograd.grad(slope, vector, seed, retain_graph=True)
        return image.numpy()

    size = vector.numel()
    operator = sparse.LinearOperator((size, size), matvec=product, dtype=float)
    start = np.random.default_rng(0).standard_normal(size)
    return np.sort(
        sparse.eigsh(operator, k=top, which="LA", v0=start, return_eigenvectors=False)
    )[::-1]


Polynomial = dict[tuple[int, ...], int]
Field = tuple[Polynomial, ...]


def _by_brackets(net: str) -> int:
    """Return the number of laws by brackets of polynomial fields, ranks in floats."""
    widths = tuple(map(int, net.split("-")))
    shapes = list(zip(widths[1:], widths[:-1], strict=True))
    size = sum(a * b for a, b in shapes)
    fields = [_gradient(entry, size) for entry in _entries(shapes, size)]
    point = np.random.default_rng(0).standard_normal(size)
    found, new = list(fields), list(fields)
    rank = _rank(found, point)
    while True:
        made = [_bracket(x, y) for x in fields for y in new]
        kept = []
        for field in made:
            grown = _rank([*found, field], point)
            if grown > rank:
                rank, kept = grown, [*kept, field]
                found.append(field)
        if not kept or rank == size:
            return size - rank
        new = kept


def _entries(shapes: list[tuple[int, int]], size: int) -> list[Polynomial]:
    place, product = 0, None
    for rows, columns in shapes:
        layer = [
            [{_unit(place + r * columns + c, size): 1} for c in range(columns)]
            for r in range(rows)
        ]
        place += rows * columns
        product = layer if product is None else _matmul(layer, product)
    return [entry for row in product for entry in row]


def _unit(index: int, size: int) -> tuple[int, ...]:
    return tuple(int(k == index) for k in range(size))


def _matmul(a: list, b: list) -> list:
    return [
        [
            _total(_times(a[r][k], b[k][c]) for k in range(len(b)))
            for c in range(len(b[0]))
        ]
        for r in range(len(a))
    ]


def _total(parts) -> Polynomial:
    found: Polynomial = defaultdict(int)
    for part in parts:
        for power, value in part.items():
            found[power] += value
    return {power: value for power, value in found.items() if value}


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    found: Polynomial = defaultdict(int)
    for p, x in a.items():
        for q, y in b.items():
            found[tuple(map(sum, zip(p, q, strict=True)))] += x * y
    return {power: value for power, value in found.items() if value}


def _slope(a: Polynomial, k: int) -> Polynomial:
    return {
        (*power[:k], power[k] - 1, *power[k + 1 :]): value * power[k]
        for power, value in a.items()
        if power[k]
    }


def _gradient(a: Polynomial, size: int) -> Field:
    return tuple(_slope(a, k) for k in range(size))


def _bracket(x: Field, y: Field) -> Field:
    size = len(x)
    return tuple(
        _total(
            [
                *(_times(x[k], _slope(y[i], k)) for k in range(size)),
                *(
                    {p: -v for p, v in _times(y[k], _slope(x[i], k)).items()}
                    for k in range(size)
                ),
            ]
        )
        for i in range(size)
    )


def _rank(fields: list[Field], point: np.ndarray) -> int:
    rows = [
        [
            sum(v * float(np.prod(point ** np.array(p))) for p, v in part.items())
            for part in field
        ]
        for field in fields
    ]
    return int(np.linalg.matrix_rank(np.array(rows), rtol=1e-9))
