"""A random target of unit norm: exact in distribution for scalar white data."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from thalweg._core.errors import DomainError
from thalweg._core.papers import ARORA2019
from thalweg._core.source import Source
from thalweg.problem.coding import contrasts
from thalweg.problem.datasets._base import AbstractDataset, Table
from thalweg.problem.moments import Moments
from thalweg.problem.recipe import Recipe


@dataclass(frozen=True)
class UnitPhi(AbstractDataset):
    """A synthetic target of one output, uniform on the unit sphere.

    Gradient descent commutes with rotations of white inputs, and Gaussian starts
    (layer-wise or balanced) do not change in law under them. With one output the law
    of every loss curve hence depends on the data through the width and the norm of
    the target alone: this set stands for any other of the same two, such as the gas
    sensors of the paper scaled to unit norm.

    Attributes:
        width: Number of inputs, `>= 1`.
        seed: Seed of the draw.
    """

    width: int = 128
    seed: int = 0

    source: ClassVar[Source] = ARORA2019.at("Section 5")
    licence: ClassVar[str] = "none needed: drawn on the spot"
    samples: ClassVar[int] = 129
    features: ClassVar[int] = 128
    outputs: ClassVar[int] = 1
    sha256: ClassVar[str | None] = None
    offline: ClassVar[bool] = True
    address: ClassVar[str] = "drawn on the spot"

    def target(self) -> np.ndarray:
        """Return the target, of shape `(1, width)` and norm one.

        Returns:
            The target.

        Raises:
            DomainError: If the width is below one.
        """
        if self.width < 1:
            raise DomainError(f"width is {self.width}; it must be at least 1.")
        drawn = np.random.default_rng(self.seed).standard_normal((1, self.width))
        return drawn / np.linalg.norm(drawn)

    def load(self) -> Table:
        """Return the smallest table of mean zero with exactly these moments."""
        target = self.target()
        samples = self.width + 1
        inputs = np.sqrt(samples) * contrasts(samples).T
        return Table(
            inputs,
            inputs @ target.T,
            tuple(f"x{position}" for position in range(1, samples)),
            ("y",),
            self._note(),
        )

    def moments(
        self,
        *,
        center: bool | str = True,
        whiten: bool = True,
        labels: str = "raw",
        scale: str = "mean",
        bias: bool = False,
    ) -> Moments:
        """Return the target as white moments.

        It is centred, white and of unit norm and variance from the start, so the
        options change nothing but this: `bias` appends a coordinate of no effect.

        Args:
            center: Of no effect.
            whiten: Of no effect.
            labels: Of no effect.
            scale: Of no effect on the numbers.
            bias: Append a constant coordinate, whose target is zero.

        Returns:
            The moments; they have no samples.
        """
        Recipe(center, True, labels, scale, bias and center is not False).checked()
        target = self.target()
        if bias:
            target = np.append(target, [[0.0]], axis=1)
        return Moments.whitened(target, scale=scale, note=self._note())

    def _note(self) -> str:
        return (
            f"unit_phi: synthetic, width {self.width}, seed {self.seed}; exact in "
            "distribution for white data with one output and a target of unit norm"
        )
