"""Benchmarks of record: ours and the rivals in one run, once all agree."""

import jax

jax.config.update("jax_enable_x64", True)
