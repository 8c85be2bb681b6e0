"""Strictness for every test: float64, no silent promotion, warnings are errors."""

from jaxtyping import install_import_hook

with install_import_hook("thalweg", "beartype.beartype"):
    import thalweg  # noqa: F401
    import thalweg._core.arrays

import jax
from hypothesis import settings

jax.config.update("jax_numpy_dtype_promotion", "standard")
settings.register_profile("thalweg", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("thalweg")
