"""A published figure measured, judged, drawn, kept and read back."""

import csv
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from thalweg._core import store
from thalweg._core.errors import unknown
from thalweg._core.version import VERSION
from thalweg.experiments import shelf
from thalweg.experiments._base import (
    SCALES,
    AbstractExperiment,
    Finding,
    Table,
    Workplace,
)
from thalweg.report.figure import save_figure
from thalweg.report.look import RC

KIND = "reproduction"


@dataclass(frozen=True)
class Reproduction:
    """A published figure, measured anew.

    Attributes:
        experiment: What was reproduced.
        name: Its name on the shelf.
        scale: `tiny` or `paper`.
        settings: The numbers that decide it.
        tables: What was measured, by name.
        seconds: How long that took.
        version: Of Thalweg.
    """

    experiment: AbstractExperiment
    name: str
    scale: str
    settings: dict[str, Any]
    tables: dict[str, Table]
    seconds: float
    version: str

    @property
    def findings(self) -> list[Finding]:
        """Return the source's claims beside what was measured."""
        return self.experiment.findings(self.settings, self.tables)

    @property
    def command(self) -> str:
        """Return the command that makes it."""
        return f"thalweg reproduce {self.name} --scale {self.scale}"

    def figure(self) -> Figure:
        """Return the figure, drawn in the source's layout."""
        with matplotlib.rc_context(RC):
            drawn = Figure(figsize=self.experiment.size, layout="constrained")
            self.experiment.draw_on(drawn, self.settings, self.tables)
        return drawn

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values, but for the tables.

        Keys: `name`, `title`, `scale`, `command`, `citation`, `claim`, `findings`
        (`claim`, `stated`, `ours`, `holds`, `note`), `holds` (all of them),
        `settings`, `tables` (columns and rows of each), `seconds`, `version`.

        Returns:
            The record.
        """
        findings = self.findings
        return {
            "name": self.name,
            "title": self.experiment.title,
            "scale": self.scale,
            "command": self.command,
            "citation": self.experiment.source.line(),
            "claim": self.experiment.claim,
            "findings": [one.to_json() for one in findings],
            "holds": all(one.holds for one in findings),
            "settings": self.settings,
            "tables": {
                name: {"columns": list(table), "rows": _rows(table)}
                for name, table in self.tables.items()
            },
            "seconds": round(self.seconds, 3),
            "version": self.version,
        }

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write it: the card and arrays, a CSV file a table, the figure twice.

        Args:
            folder: Where to; an earlier reproduction there is replaced.

        Returns:
            The files for people: tables, `figure.svg`, `figure.png`.
        """
        place = Path(folder)
        card = {
            "name": self.name,
            "scale": self.scale,
            "settings": self.settings,
            "columns": {name: list(table) for name, table in self.tables.items()},
            "seconds": self.seconds,
            "version": self.version,
            "report": self.to_json(),
        }
        arrays = {
            f"{name}/{column}": np.asarray(values)
            for name, table in self.tables.items()
            for column, values in table.items()
        }
        store.save(place, KIND, _plain(card), arrays)
        for earlier in place.glob("*.csv"):
            if earlier.stem not in self.tables:
                earlier.unlink()
        files = []
        for name, table in self.tables.items():
            files.append(place / f"{name}.csv")
            store.write_whole(files[-1], _csv(table).encode())
        drawn = self.figure()
        for suffix in ("svg", "png"):
            files.append(save_figure(drawn, place / f"figure.{suffix}"))
        return files

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Reproduction":
        """Return a reproduction that `save` wrote.

        Args:
            folder: Where it lies.

        Returns:
            It, as it was.
        """
        card, arrays = store.load(folder, KIND)
        tables = {
            name: {column: arrays[f"{name}/{column}"] for column in columns}
            for name, columns in card["columns"].items()
        }
        return cls(
            experiment=shelf.make(card["name"]),
            name=card["name"],
            scale=card["scale"],
            settings=card["settings"],
            tables=tables,
            seconds=card["seconds"],
            version=card["version"],
        )


def reproduce(
    name: str,
    *,
    scale: str = "paper",
    out: str | os.PathLike[str] | None = None,
    on_progress: Callable[[str, float], None] | None = None,
) -> Reproduction:
    """Measure a published figure anew.

    Args:
        name: A name that `thalweg list experiments` shows.
        scale: `tiny` takes seconds; `paper` takes the source's numbers.
        out: Folder to save it in. What long parts have finished is kept there on the
            way: after a kill or Ctrl-C the same call goes on.
        on_progress: Told what is being done, and the share that is done.

    Returns:
        The reproduction, with its findings, tables and figure.

    Raises:
        UnknownName: If the scale, or the experiment, is not known.

    Example:
        >>> found = reproduce("flammarion2025.FailingStarts", scale="tiny")
        >>> all(finding.holds for finding in found.findings)
        True
    """  # noqa: DOC501
    if scale not in SCALES:
        raise unknown(str(scale), SCALES, "the list of scales")
    experiment: AbstractExperiment = shelf.make(name)
    settings = experiment.settings(scale)
    place = None if out is None else Path(out)
    kept = None if place is None else _beside(place, scale, settings)
    work = Workplace(kept)
    if on_progress is not None:
        work = replace(work, say=on_progress)
    began = time.perf_counter()
    tables = experiment.measure(settings, work)
    found = Reproduction(
        experiment=experiment,
        name=spelled(name),
        scale=scale,
        settings=_plain(settings),
        tables=tables,
        seconds=time.perf_counter() - began,
        version=VERSION,
    )
    if place is not None:
        found.save(place)
        clear(place, scale)
    return found


def clear(place: Path, scale: str) -> None:
    """Remove what was kept on the way to a reproduction that is saved.

    Args:
        place: Folder of the reproduction.
        scale: Its scale.
    """
    for work in place.parent.glob(f".{place.name}-{scale}-*.work"):
        shutil.rmtree(work, ignore_errors=True)


def _beside(place: Path, scale: str, settings: dict[str, Any]) -> Path:
    """Return the folder of what a long measurement has finished on its way.

    Its name holds a digest of version and settings: what other ones have left, or
    other data, is no part of this one.
    """
    told = json.dumps([VERSION, settings], sort_keys=True).encode()
    digest = hashlib.sha256(told).hexdigest()[:12]
    return place.parent / f".{place.name}-{scale}-{digest}.work"


def spelled(name: str) -> str:
    """Return a name as the shelf spells it."""
    entry = shelf.entry(name)
    return next(
        card.name
        for card in shelf.cards.values()
        if (card.module, card.class_name) == (entry.__module__, entry.__name__)
    )


def _plain(value: Any) -> Any:
    """Return a value as JSON reads it back."""
    return json.loads(json.dumps(value, allow_nan=False))


def _rows(table: Table) -> int:
    return len(next(iter(table.values()), ()))


def _csv(table: Table) -> str:
    """Return a table as CSV; numbers to the last digit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(
        zip(*(np.asarray(c).tolist() for c in table.values()), strict=True)
    )
    return text.getvalue()
