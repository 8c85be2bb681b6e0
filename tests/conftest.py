"""Strictness for every test: float64, no silent promotion, warnings are errors."""

import os

# Two workers share the cores: threads of their own would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from jaxtyping import install_import_hook

with install_import_hook("thalweg", "beartype.beartype"):
    import thalweg  # noqa: F401
    import thalweg._core.arrays  # noqa: F401

import jax
import pytest
from hypothesis import settings

jax.config.update("jax_numpy_dtype_promotion", "standard")
EXAMPLES = int(os.environ.get("THALWEG_EXAMPLES", "40"))
settings.register_profile(
    "thalweg", deadline=None, max_examples=EXAMPLES, derandomize=True
)
settings.load_profile("thalweg")

_COMPILED = []


def _note(event: str, *_args: object, **_kwargs: object) -> None:
    if event == "/jax/core/compile/backend_compile_duration":
        _COMPILED.append(event)


jax.monitoring.register_event_duration_secs_listener(_note)


@pytest.fixture(scope="module", autouse=True)
def forgetting():
    """Drop compiled programs after every module: together they fill gigabytes."""
    yield
    jax.clear_caches()


@pytest.fixture
def compilations():
    """Return a function that counts the programs XLA compiled since it was asked."""
    seen = len(_COMPILED)

    def count() -> int:
        nonlocal seen
        new, seen = len(_COMPILED) - seen, len(_COMPILED)
        return new

    return count
