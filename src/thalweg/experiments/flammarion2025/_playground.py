r"""What the lecture's figures share: descent on $\tfrac12 (\prod_k x_k - 1)^2$.

Plain steps on many starts at once, one a row; the theorem's count beside them.
"""

import math

import numpy as np


def gradient(x: np.ndarray) -> np.ndarray:
    """Return the gradients at starts of shape `"run depth"`, nothing divided."""
    gap = np.prod(x, axis=1, keepdims=True) - 1
    others = [
        np.prod(np.delete(x, k, axis=1), axis=1, keepdims=True)
        for k in range(x.shape[1])
    ]
    return gap * np.concatenate(others, axis=1)


def loss(x: np.ndarray) -> np.ndarray:
    """Return the losses at starts of shape `"run depth"`."""
    return 0.5 * (np.prod(x, axis=1) - 1) ** 2


def losses(start: list[float], step_size: float, accuracy: float) -> np.ndarray:
    """Return the loss of every iterate, to the first at most `accuracy`.

    Args:
        start: Positive factors whose product is below one.
        step_size: Of every step; small enough that the loss falls.
        accuracy: Where to stop, `> 0`.

    Returns:
        The losses, that of the start first.
    """
    x = np.array([start], dtype=float)
    found = [float(loss(x)[0])]
    while found[-1] > accuracy:
        x = x - step_size * gradient(x)
        found.append(float(loss(x)[0]))
    return np.array(found)


def steps_of_equals(
    factors: np.ndarray, depths: np.ndarray, goal: np.ndarray
) -> np.ndarray:
    r"""Return how many steps of size $1/(3d)$ bring equal factors to a loss.

    Equal factors stay equal, so one number a run is enough.

    Args:
        factors: The factor of every run, in (0, 1).
        depths: The depth of every run.
        goal: The loss of every run to reach.

    Returns:
        The counts.
    """
    left = np.arange(factors.size)
    a, d = factors.astype(float), depths.astype(float)
    goal = np.broadcast_to(goal, factors.shape)
    counts = np.zeros(factors.size, dtype=np.int64)
    count = 0
    while left.size:
        power = a ** (d - 1)
        gap = 1 - power * a
        done = 0.5 * gap * gap <= goal[left]
        counts[left[done]] = count
        a, d, left = a[~done], d[~done], left[~done]
        a = a + gap[~done] * power[~done] / (3 * d)
        count += 1
    return counts


def promised(excess: float, goal: float, product: float, spread: float) -> float:
    r"""Return the iterations that the convergence theorem asks for.

    The least $T$ with $(1 - \delta^2 / (3 c^4))^T f(x_0) \le \epsilon$.

    Args:
        excess: $f(x_0)$.
        goal: $\epsilon$.
        product: $\delta$.
        spread: $c$.

    Returns:
        The count; above $2^{53}$ the nearest float64.
    """
    count = math.log(excess / goal) / -math.log1p(-(product**2) / (3 * spread**4))
    return float(math.ceil(count))


def leading(depth: int) -> float:
    r"""Return $3 \cdot 2^{d-2} / (1 - 2/d)$, the count from halves to leading order."""
    return 3 * 2 ** (depth - 2) / (1 - 2 / depth)
