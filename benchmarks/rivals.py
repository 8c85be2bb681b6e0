"""What a theorist would write: plain loops in NumPy, PyTorch and JAX."""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.problems import STEP

Layers = Sequence[np.ndarray]


def numpy_loop(layers: Layers, target: np.ndarray, steps: int) -> list[np.ndarray]:
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
    layers: Layers, target: np.ndarray, steps: int, threads: int = 1
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


def torch_batch(
    layers: Layers, target: np.ndarray, steps: int, threads: int
) -> list[np.ndarray]:
    """Run descent on a batch of three layers by hand-written batched products."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(threads)
    first, second, third = (torch.tensor(layer) for layer in layers)
    goal = torch.tensor(target)
    for _ in range(steps):
        inner = torch.bmm(second, first)
        error = torch.bmm(third, inner) - goal
        back = torch.bmm(third.mT, error)
        middle = torch.bmm(back, first.mT)
        first.baddbmm_(second.mT, back, alpha=-STEP)
        second.sub_(middle, alpha=STEP)
        third.baddbmm_(error, inner.mT, alpha=-STEP)
    return [first.numpy(), second.numpy(), third.numpy()]


def plain_loss(layers: Any, target: Any) -> Any:
    """Return the loss of a chain, multiplied from the left."""
    error = reduce(jnp.matmul, reversed(layers)) - target
    return 0.5 * jnp.sum(error * error)


def jax_scan(
    target: np.ndarray, steps: int, step_size: Any = STEP, batched: bool = False
) -> Callable[[Any], Any]:
    """Return a jitted scan over `jax.grad` that records nothing, vmapped if batched."""
    slope = jax.grad(partial(plain_loss, target=jnp.asarray(target)))

    def run(layers: Any) -> Any:
        def step(layers: Any, _: None) -> Any:
            slopes = slope(layers)
            return jax.tree.map(lambda w, g: w - step_size * g, layers, slopes), None

        return jax.lax.scan(step, layers, None, length=steps)[0]

    return jax.jit(jax.vmap(run) if batched else run)
