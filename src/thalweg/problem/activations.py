r"""Activations: value, derivative and potential, for arrays and for balls alike.

The potential of an activation is what conserved quantities of its networks are made
of, $\Sigma(x) = \int_0^x \sigma(w) / \sigma'(w)\,dw$. Every method takes the
elementary functions to use: `ARRAYS` of JAX, or `BALLS` of `flint.arb`, whose
results hold the true value.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

import thalweg._core.arrays  # noqa: F401  (float64)
from thalweg._core.errors import positive
from thalweg.linalg import balls


@dataclass(frozen=True)
class Elementary:
    """The functions activations are made of, in one kind of numbers.

    Attributes:
        tanh: Hyperbolic tangent.
        sinh: Hyperbolic sine.
        cosh: Hyperbolic cosine.
        atan: Inverse tangent.
        log1p: Natural logarithm of one more.
        step: Of `x` and `low`: one above zero, `low` below; at zero, of arrays
            `low`, and of balls all between, the subdifferential of Clarke.
    """

    tanh: Callable[[Any], Any]
    sinh: Callable[[Any], Any]
    cosh: Callable[[Any], Any]
    atan: Callable[[Any], Any]
    log1p: Callable[[Any], Any]
    step: Callable[[Any, float], Any]


def _between(x: Any, low: float) -> Any:
    if x > 0:
        return balls.scalar(1)
    below = balls.scalar(low)
    return below if x < 0 else balls.scalar(1).union(below)


ARRAYS = Elementary(
    tanh=jnp.tanh,
    sinh=jnp.sinh,
    cosh=jnp.cosh,
    atan=jnp.arctan,
    log1p=jnp.log1p,
    step=lambda x, low: jnp.where(x > 0, 1.0, low),
)
BALLS = Elementary(
    tanh=lambda x: x.tanh(),
    sinh=lambda x: x.sinh(),
    cosh=lambda x: x.cosh(),
    atan=lambda x: x.atan(),
    log1p=lambda x: x.log1p(),
    step=_between,
)


@dataclass(frozen=True)
class AbstractActivation:
    r"""A function applied to every entry.

    Attributes:
        symbol: Its formula.
        is_sigmoid: Whether it is a sigmoid in the sense of Chitour, Liao, Couillet:
            continuously differentiable, increasing, of the sign of its argument,
            with finite limits.
        is_homogeneous: Whether $\sigma(x) = x \sigma'(x)$ for every $x$.
        is_smooth: Whether it has a derivative everywhere.
    """

    symbol: ClassVar[str]
    is_sigmoid: ClassVar[bool] = False
    is_homogeneous: ClassVar[bool] = False
    is_smooth: ClassVar[bool] = True

    @abstractmethod
    def value(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return the activation of `x`."""

    @abstractmethod
    def derivative(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return its derivative; where there is none, see `Elementary.step`."""

    @abstractmethod
    def potential(self, x: Any, by: Elementary = ARRAYS) -> Any:
        r"""Return $\Sigma(x) = \int_0^x \sigma / \sigma'$, at least zero."""


@dataclass(frozen=True)
class Tanh(AbstractActivation):
    """The hyperbolic tangent."""

    symbol: ClassVar[str] = r"\tanh x"
    is_sigmoid: ClassVar[bool] = True

    def value(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return the hyperbolic tangent."""
        return by.tanh(x)

    def derivative(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return the inverse square of the hyperbolic cosine."""
        return 1 / by.cosh(x) ** 2

    def potential(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return half the square of the hyperbolic sine."""
        return by.sinh(x) ** 2 / 2


@dataclass(frozen=True)
class Arctan(AbstractActivation):
    """The inverse tangent."""

    symbol: ClassVar[str] = r"\arctan x"
    is_sigmoid: ClassVar[bool] = True

    def value(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return the inverse tangent."""
        return by.atan(x)

    def derivative(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return the inverse of one plus the square."""
        return 1 / (1 + x**2)

    def potential(self, x: Any, by: Elementary = ARRAYS) -> Any:
        r"""Return $(x + x^3/3) \arctan x - x^2/6 - \ln(1 + x^2)/3$."""
        square = x**2
        rest = square / 6 + by.log1p(square) / 3
        return x * (1 + square / 3) * by.atan(x) - rest


@dataclass(frozen=True)
class Logistic(AbstractActivation):
    """The logistic function less one half, so that zero goes to zero."""

    symbol: ClassVar[str] = r"1/(1 + e^{-x}) - 1/2"
    is_sigmoid: ClassVar[bool] = True

    def value(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return half the hyperbolic tangent of half the argument."""
        return by.tanh(x / 2) / 2

    def derivative(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return a quarter of the inverse square of a hyperbolic cosine."""
        return 1 / (4 * by.cosh(x / 2) ** 2)

    def potential(self, x: Any, by: Elementary = ARRAYS) -> Any:
        r"""Return $\cosh x - 1$, without cancellation."""
        return 2 * by.sinh(x / 2) ** 2


@dataclass(frozen=True)
class Linear(AbstractActivation):
    """The identity: no activation."""

    symbol: ClassVar[str] = "x"
    is_homogeneous: ClassVar[bool] = True

    def value(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return the argument."""
        return x

    def derivative(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return one."""
        return x * 0 + 1

    def potential(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return half the square."""
        return x**2 / 2


@dataclass(frozen=True)
class Relu(AbstractActivation):
    """The argument where it is positive, else zero."""

    symbol: ClassVar[str] = r"\max(x, 0)"
    is_homogeneous: ClassVar[bool] = True
    is_smooth: ClassVar[bool] = False

    def value(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return the positive part."""
        return x * by.step(x, 0.0)

    def derivative(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return one above zero and zero below."""
        return by.step(x, 0.0)

    def potential(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return half the square, by the convention that makes laws of it."""
        return x**2 / 2


@dataclass(frozen=True)
class LeakyRelu(AbstractActivation):
    """The argument where it is positive, else a share of it.

    Attributes:
        slope: The share below zero, `> 0`.
    """

    slope: float = 0.01

    symbol: ClassVar[str] = r"\max(x, a x)"
    is_homogeneous: ClassVar[bool] = True
    is_smooth: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the field."""
        positive("slope", self.slope)

    def value(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return the argument times its slope."""
        return x * by.step(x, self.slope)

    def derivative(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return one above zero and the slope below."""
        return by.step(x, self.slope)

    def potential(self, x: Any, by: Elementary = ARRAYS) -> Any:
        """Return half the square."""
        return x**2 / 2
