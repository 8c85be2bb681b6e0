"""What a theorist would write: plain loops in NumPy, PyTorch and JAX."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.problems import STEP


def numpy_loop(
    layers: list[np.ndarray], target: np.ndarray, steps: int
) -> list[np.ndarray]:
    """Run descent on three layers by hand-written products."""
    first, second, third = (layer.copy() for layer in layers)
    for _ in range(steps):
        inner = second @ first
        error = third @ inner - target
        back = third.T @ error
        gradients = (second.T @ back, back @ first.T, error @ inner.T)
        first -= STEP * gradients[0]
        second -= STEP * gradients[1]
        third -= STEP * gradients[2]
    return [first, second, third]


def torch_loop(
    layers: list[np.ndarray], target: np.ndarray, steps: int, threads: int = 1
) -> list[np.ndarray]:
    """Run descent by autograd and an optimiser."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(threads)
    weights = [torch.tensor(layer, requires_grad=True) for layer in layers]
    goal = torch.tensor(target)
    optimiser = torch.optim.SGD(weights, lr=STEP)
    for _ in range(steps):
        optimiser.zero_grad()
        error = weights[2] @ weights[1] @ weights[0] - goal
        loss = 0.5 * (error * error).sum()
        loss.backward()
        optimiser.step()
    return [weight.detach().numpy() for weight in weights]


def _loss(layers: Any, target: Any) -> Any:
    error = layers[2] @ layers[1] @ layers[0] - target
    return 0.5 * jnp.sum(error * error)


def jax_scan(
    target: np.ndarray, steps: int, batched: bool = False
) -> Callable[..., Any]:
    """Return a jitted scan over `jax.grad` that records nothing, vmapped if batched."""
    slope = jax.grad(partial(_loss, target=jnp.asarray(target)))

    def run(layers: Any) -> Any:
        def step(layers: Any, _: None) -> Any:
            moved = jax.tree.map(lambda w, g: w - STEP * g, layers, slope(layers))
            return moved, None

        return jax.lax.scan(step, layers, None, length=steps)[0]

    compiled = jax.jit(jax.vmap(run) if batched else run)
    return lambda layers: jax.block_until_ready(compiled(layers))
