"""How many bytes a run takes, beside those there are."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thalweg._core.errors import ConfigError

SHARE = 4
"""A task stays below this part of what its thread or worker may take."""


@dataclass(frozen=True)
class Fitting:
    """Asked for the bytes of a run, refuses what cannot be carried out.

    Attributes:
        ceiling: Bytes a task may take.
    """

    ceiling: int

    def __call__(self, settings: Mapping[str, Any]) -> int:
        """Return the bytes that a run adds to a task.

        Args:
            settings: Its plain settings.

        Returns:
            An estimate.

        Raises:
            ConfigError: If a single run is above the ceiling.
        """
        from thalweg.motion.ends import memory_of  # noqa: PLC0415  (needs JAX)
        from thalweg.request.settings import Settings  # noqa: PLC0415
        from thalweg.sweep.problems import shared_problem  # noqa: PLC0415

        problem, _ = shared_problem(Settings.model_validate(settings))
        alone, two = memory_of(problem, 1), memory_of(problem, 2)
        if alone > self.ceiling:
            raise ConfigError(
                f"a run of widths {problem.net.widths} takes about {_told(alone)}, and "
                f"{_told(self.ceiling)} are there for it; make the net smaller, or "
                "raise memory."
            )
        return two - alone


UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def bytes_of(size: str) -> int:
    """Return how many bytes a size is.

    Args:
        size: As `4GiB` or `512M`; units are powers of 1024.

    Returns:
        The number.

    Raises:
        ConfigError: If it is not spelled as a size, or is nothing.

    Example:
        >>> bytes_of("1.5GiB")
        1610612736
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *([KMGT]?)(?:i?B)?", str(size))
    number = int(float(found[1]) * UNITS[found[2]]) if found else 0
    if number < 1:
        raise ConfigError(f"memory is '{size}'; write a size, as 4GiB.")
    return number


def available() -> int:
    """Return the bytes of memory that are free on this machine."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        told = dict(line.split(":") for line in lines)
        return int(told["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _told(size: int) -> str:
    return f"{size / 2**30:.3g} GiB" if size >= 2**30 else f"{size / 2**20:.3g} MiB"
