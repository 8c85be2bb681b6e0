"""Which certificates are worth proving at an iterate: quick conditions in floats.

What is screened out could not, or hardly, have been proved; what is not may still fail.
"""

from typing import Any

import numpy as np

from thalweg.linalg import balls
from thalweg.problem.scalar import Playground
from thalweg.theorems._shared.curvature import Curvature

_WHOLE = 400
_DOUBT = 1.001


class Screen:
    """Says whether a certificate could fire at some weights."""

    def __init__(self, problem: Any, step: float) -> None:
        """Keep the problem's factors in NumPy."""
        self.problem, self.step = problem, step
        if isinstance(problem, Playground):
            self.inputs, self.labels = np.ones((1, 1)), np.ones((1, 1))
        else:
            self.inputs = np.asarray(problem.data.inputs_factor)
            self.labels = np.asarray(problem.data.labels_factor)
        self.target = np.asarray(problem.target)

    def admits(self, theorem: str, weights: Any) -> bool:
        """Return whether a theorem could hold.

        Args:
            theorem: Its name on the shelf.
            weights: As the problem keeps them.

        Returns:
            False only if it cannot, but for rounding; of the anchored certificate, if
            it has never been seen to.
        """
        layers = [np.asarray(w) for w in self.problem.chain(weights)]
        with np.errstate(all="ignore"):
            if theorem.startswith("margin."):
                return self._near(layers)
            return self._regular(layers, 1 if theorem.startswith("anchored.") else 2)

    def _near(self, layers: list[np.ndarray]) -> bool:
        """Return whether the map is nearer to the target than any singular one."""
        product = np.linalg.multi_dot([*layers[::-1], np.eye(layers[0].shape[1])])
        gap = (product - self.target) @ self.inputs
        low = np.linalg.svd(self.inputs, compute_uv=False)[-1]
        least = np.linalg.svd(self.target, compute_uv=False)[-1]
        return bool(np.linalg.norm(gap) < _DOUBT * least * low)

    def _regular(self, layers: list[np.ndarray], times: int) -> bool:
        r"""Return whether so many $H(0) e_0 < \sigma_0^2$, and $\eta S_0^2 < 2$."""
        rows, columns = self.labels.shape
        if rows * columns > _WHOLE:
            return True
        below = [self.inputs]
        for layer in layers[:-1]:
            below.append(layer @ below[-1])
        above = [np.eye(rows)]
        for layer in layers[:0:-1]:
            above.append(above[-1] @ layer)
        above.reverse()
        error = np.linalg.norm(layers[-1] @ below[-1] - self.labels)
        gram = sum(np.kron(b.T @ b, a @ a.T) for a, b in zip(above, below, strict=True))
        if not np.isfinite(gram).all():
            return False
        values = np.linalg.eigvalsh(gram)
        bend = Curvature.of(_norms(layers, self.inputs), len(layers)).near(np.zeros(1))
        room = times * float(bend[0]) * error < _DOUBT * values[0]
        return bool(room and self.step * values[-1] < 2 * _DOUBT)


def _norms(layers: list[np.ndarray], inputs: np.ndarray) -> dict[tuple[int, int], Any]:
    chain = [inputs, *layers]
    found = {}
    for i in range(len(chain)):
        product = chain[i]
        found[i, i] = product
        for k in range(i + 1, len(chain)):
            product = chain[k] @ product
            found[k, i] = product
    return {ends: balls.scalar(np.linalg.norm(m, 2)) for ends, m in found.items()}
