"""What lies in the folder of a sweep: its card, and how far it is."""

import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from thalweg._core.errors import StoreError
from thalweg._core.store import write_whole
from thalweg._core.version import VERSION
from thalweg.sweep import parquet
from thalweg.sweep.design import Design
from thalweg.sweep.gathering import FAILED
from thalweg.sweep.lock import holder
from thalweg.sweep.plan import Plan
from thalweg.sweep.table import KEY, STATUS

CARD = "sweep.json"
PLAN = "plan.npz"
PARTS = "parts"
TABLE = "table.parquet"
PATHS = "paths"
LOCK = "sweep.lock"
FORMAT = 1


def write_card(folder: Path, **fields: Any) -> None:
    """Write the card of a sweep's folder.

    Args:
        folder: The folder.
        **fields: What it says.
    """
    full = {"format": FORMAT, "kind": "sweep", "version": VERSION}
    text = json.dumps({**full, **fields}, indent=2, allow_nan=False) + "\n"
    write_whole(folder / CARD, text.encode())


def read_card(folder: Path) -> dict[str, Any] | None:
    """Return what the card of a folder says; `None` if there is none.

    Args:
        folder: The folder of a sweep.

    Returns:
        Plain values.

    Raises:
        StoreError: If it cannot be read, or is of a later format.
    """
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        kind, number = card["kind"], card["format"]
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{folder / CARD} cannot be read back; remove it to go on with the rows "
            f"in {PARTS}, or choose another folder."
        ) from error
    if (kind, number) != ("sweep", FORMAT):
        raise StoreError(
            f"{folder} holds a {kind} of format {number}; this version reads a sweep "
            f"of format {FORMAT}: choose another folder."
        )
    return card


def check_ours(folder: Path) -> None:
    """Raise unless a sweep can go on, or begin, in a folder.

    Args:
        folder: The folder.

    Raises:
        StoreError: If it is a file, or holds something that is not a sweep.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise StoreError(f"{folder} is a file; choose a folder.")
    if read_card(folder) is None:
        known = {LOCK, PARTS, PLAN, TABLE, PATHS, f".{CARD}.part"}
        strange = sorted(f.name for f in folder.iterdir() if f.name not in known)
        if strange:
            raise StoreError(
                f"{folder} holds {strange[0]} and is not the folder of a sweep; choose "
                "another folder."
            )


def told(folder: Path) -> dict[str, Any]:
    """Return how far the sweep in a folder is, as plain values.

    Args:
        folder: The folder.

    Returns:
        `folder`, `version`, `design`, `total` (rows of the design), `done`,
        `missing`, `failed`, `counts` of rows by status, `runs` (all runs that the
        folder holds), `damaged`, `whole`, and `running`, a process id or `None`.

    Raises:
        StoreError: If there is no sweep.
    """
    card = read_card(folder)
    if card is None:
        raise StoreError(
            f"{folder} is not the folder of a sweep; pass the one given as --out."
        )
    statuses = _statuses(folder)
    counts = card.get("counts")
    if counts is None:
        counts = _counts(folder, card, statuses)
    done = sum(counts.values())
    return {
        "folder": str(folder),
        "version": card["version"],
        "design": card["design"],
        "total": card["total"],
        "done": done,
        "missing": card["total"] - done,
        "failed": card.get("failed", counts.get(FAILED, 0)),
        "counts": counts,
        "runs": len(statuses),
        "damaged": card.get("damaged", []),
        "whole": card["whole"],
        "running": holder(folder / LOCK),
    }


def keys_in(folder: Path) -> set[str]:
    """Return the keys of the runs that a folder holds, those that failed left out."""
    return {key for key, word in _statuses(folder).items() if word != FAILED}


def kept_plan(folder: Path, design: Design, digest: str) -> Plan | None:
    """Return the plan that an earlier call left in a folder.

    Args:
        folder: The folder of a sweep.
        design: Of the plan.
        digest: Of the design.

    Returns:
        The plan; `None` if it is lost, damaged, or of another design.
    """
    try:
        with np.load(folder / PLAN, allow_pickle=False) as arrays:
            if str(arrays["digest"]) == digest:
                return Plan.from_arrays(design, dict(arrays))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    return None


def _counts(
    folder: Path, card: dict[str, Any], statuses: dict[str, str]
) -> dict[str, int]:
    """Return the statuses of the rows of a design whose table is not written yet."""
    design = Design.from_json(card["design"])
    kept = kept_plan(folder, design, card["digest"])
    keys = () if kept is None else kept.keys
    words = [statuses[key] for key in keys if key in statuses]
    return {word: words.count(word) for word in dict.fromkeys(words)}


def _statuses(folder: Path) -> dict[str, str]:
    """Return the status of every run that a folder holds, by key."""
    found: dict[str, str] = {}
    for file in sorted((folder / PARTS).glob("*.parquet")):
        try:
            rows = parquet.unpacked(file.read_bytes())
        except (OSError, ValueError):
            continue
        words = rows.column(STATUS).to_pylist()
        for key, word in zip(rows.column(KEY).to_pylist(), words, strict=True):
            if found.get(key, FAILED) == FAILED:
                found[key] = word
    return found
