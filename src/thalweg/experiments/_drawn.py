"""Normal numbers as PyTorch draws them on a processor, without PyTorch.

The published code of some figures fixes its data and starts by a seed of PyTorch.
Its generator is the Mersenne twister that NumPy has; what differs is how words become
numbers.
"""

import numpy as np

BLOCK = 16
"""Normals are made from uniform numbers in blocks of so many."""


def torch_normals(seed: int, count: int, *, skipped: int = 0) -> np.ndarray:
    r"""Return standard normals as `torch.manual_seed(seed)` gives them in float32.

    A uniform number is the lower 24 bits of a word; a block of sixteen makes eight
    radii $\sqrt{-2 \ln(1 - u)}$ and eight angles $2 \pi v$, its normals are the
    cosines and then the sines. What a last, incomplete block would have held is drawn
    again.

    Args:
        seed: The seed, `>= 0`.
        count: How many, at least 16: fewer are drawn in another way.
        skipped: How many words were drawn before.

    Returns:
        Single-precision numbers, to their last few digits those of PyTorch.

    Example:
        >>> normals = torch_normals(12345, 50, skipped=50)
        >>> [round(float(one), 4) for one in normals[:3]]
        [0.0457, 0.4694, 0.7862]
    """
    words = np.random.RandomState(seed)
    _uniform(words, skipped)
    drawn = _uniform(words, count)
    whole = count - count % BLOCK
    normals = np.empty(count, np.float32)
    normals[:whole] = _normal(drawn[:whole])
    if whole < count:
        normals[-BLOCK:] = _normal(_uniform(words, BLOCK))
    return normals


def _uniform(words: np.random.RandomState, count: int) -> np.ndarray:
    drawn = words.randint(0, 2**32, size=count, dtype=np.uint32)
    return (drawn & np.uint32(2**24 - 1)).astype(np.float32) * np.float32(2.0**-24)


def _normal(uniform: np.ndarray) -> np.ndarray:
    """Return the normals of whole blocks of uniform numbers."""
    radius, angle = np.split(uniform.reshape(-1, BLOCK), 2, axis=1)
    size = np.sqrt(-2 * np.log(1 - radius))
    turn = np.float32(2 * np.pi) * angle
    return np.concatenate((size * np.cos(turn), size * np.sin(turn)), axis=1).ravel()
