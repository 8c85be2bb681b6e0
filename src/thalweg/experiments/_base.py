"""The contract of an experiment: a card, numbers at two scales, tables, findings.

Tables are measured once; findings and figure are functions of settings and tables
alone, so a saved reproduction can be judged and drawn again without measuring.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from thalweg._core.source import Source

SCALES = ("tiny", "paper")
"""Seconds, in the tests; and the paper's own numbers, or as near as time allows."""

Table = dict[str, np.ndarray]
"""Columns of equal length, by name."""


@dataclass(frozen=True)
class Finding:
    """A claim of the source beside what was measured.

    Attributes:
        claim: What the source says, in our words, one sentence.
        stated: Its number, or how it is worded; `None` where it gives none.
        ours: Ours.
        holds: Whether the two agree.
        note: What else must be known: the tolerance, or why they do not agree.
    """

    claim: str
    stated: float | str | None
    ours: float | str
    holds: bool
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Workplace:
    """Where an experiment may keep what it has finished, and whom it tells.

    Attributes:
        folder: A folder that outlives an interruption, for sweeps and other long
            work to go on from; `None` where nothing is kept.
        say: Told what is being done, and the share that is done (from 0 to 1).
    """

    folder: Path | None = None
    say: Callable[[str, float], None] = field(default=lambda text, share: None)

    def room(self, name: str) -> Path | None:
        """Return a folder below for one part of the work; `None` if none is kept."""
        return None if self.folder is None else self.folder / name


@dataclass(frozen=True)
class AbstractExperiment:
    """A published figure or table, measured anew.

    A leaf is a frozen dataclass without fields. Its file is its paper's, or lies in
    its paper's folder.

    Attributes:
        source: The paper and the figure, table or statement in it.
        title: What is shown, in a few words.
        claim: What the source says it shows, in our words.
        seconds: About how long each scale takes on two cores.
        needs: Data sets it takes if they are here.
        size: Width and height of the figure in inches.
    """

    source: ClassVar[Source]
    title: ClassVar[str]
    claim: ClassVar[str]
    seconds: ClassVar[Mapping[str, float]]
    needs: ClassVar[tuple[str, ...]] = ()
    size: ClassVar[tuple[float, float]] = (5.6, 3.5)

    @abstractmethod
    def settings(self, scale: str) -> dict[str, Any]:
        """Return the numbers of a scale as plain values that JSON can hold.

        Args:
            scale: `tiny` or `paper`.

        Returns:
            Everything that decides the tables, seeds included.
        """

    @abstractmethod
    def measure(self, settings: dict[str, Any], work: Workplace) -> dict[str, Table]:
        """Return the tables, measured now.

        Args:
            settings: From `settings`.
            work: Where finished parts may be kept, and whom to tell.

        Returns:
            Tables by name; the same settings give the same numbers.
        """

    @abstractmethod
    def findings(
        self, settings: dict[str, Any], tables: dict[str, Table]
    ) -> list[Finding]:
        """Return the source's claims beside what the tables say.

        Args:
            settings: From `settings`.
            tables: From `measure`.

        Returns:
            At least one finding.
        """

    @abstractmethod
    def draw_on(
        self, figure: Any, settings: dict[str, Any], tables: dict[str, Table]
    ) -> None:
        """Draw the source's layout on an empty matplotlib figure.

        Args:
            figure: A `matplotlib.figure.Figure` of `size`, in the house's style.
            settings: From `settings`.
            tables: From `measure`.
        """
