"""A table of samples: which columns are predicted, and from which."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thalweg._core.errors import DataError, DomainError, unknown
from thalweg.problem.readers import Column, Columns, read_columns

USUAL_KEYS = (("inputs", "labels"), ("X", "y"), ("X", "Y"))
"""Names of arrays that need no naming in NPZ files."""


@dataclass(frozen=True, eq=False)
class Table:
    """Samples with names.

    Attributes:
        inputs: Of shape `"sample feature"`.
        labels: Of shape `"sample output"`.
        feature_names: Names of the features.
        label_names: Names of the outputs.
        note: Where it comes from, and what is worth knowing.
    """

    inputs: np.ndarray
    labels: np.ndarray
    feature_names: tuple[str, ...]
    label_names: tuple[str, ...]
    note: str = ""


def read_table(
    path: str | os.PathLike[str],
    targets: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
) -> Table:
    """Read the samples of a CSV, Parquet or NPZ file.

    Args:
        path: The file. Rows are counted from 1, the header not among them.
        targets: Names of the columns to predict; `None` takes the usual arrays of
            an NPZ file, `inputs` and `labels` or `X` and `y`.
        features: Names of the columns to predict from; by default all others of
            numbers. Columns of nothing but text are then left out, and the note
            says so.

    Returns:
        The samples.

    Raises:
        DataError: If the file cannot be used as it is.
        DomainError: If a column is named twice, or none is.
    """
    found = read_columns(path)
    file = Path(path).name
    if targets is None:
        targets, features = _usual(file, found, features)
    label_names = _resolved(file, found, "targets", targets)
    left_out: tuple[str, ...] = ()
    if features is None:
        feature_names, left_out = _others(file, found, label_names)
    else:
        feature_names = _resolved(file, found, "features", features)
    both = [name for name in feature_names if name in label_names]
    if both:
        raise DomainError(
            f"'{both[0]}' is among the targets and the features; it cannot be both."
        )
    _check_lengths(file, found, (*label_names, *feature_names))
    note = f"read from {file}"
    if left_out:
        note += f"; left out, being text: {', '.join(left_out)}"
    table = Table(
        _matrix(file, found, feature_names),
        _matrix(file, found, label_names),
        feature_names,
        label_names,
        note,
    )
    if len(table.inputs) < 2:
        raise DataError(f"{file} holds {len(table.inputs)} row; it needs two or more.")
    return table


def _usual(
    file: str, found: Columns, features: Sequence[str] | None
) -> tuple[Sequence[str], Sequence[str]]:
    arrays = {*found.each, *found.groups, *found.unusable}
    for inputs, labels in USUAL_KEYS:
        if inputs in arrays and labels in arrays:
            return [labels], features or [inputs]
    raise DataError(
        f"targets came empty and {file} has no arrays 'inputs' and 'labels' or 'X' and "
        f"'y'; name the columns to predict. It holds: {_some(found)}."
    )


def _some(found: Columns, most: int = 12) -> str:
    names = [name for name in found.each if not _grouped(name, found)]
    names = [*found.groups, *found.unusable, *names]
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _grouped(name: str, found: Columns) -> bool:
    return any(name in group for group in found.groups.values())


def _resolved(
    file: str, found: Columns, which: str, names: Sequence[str]
) -> tuple[str, ...]:
    names = [names] if isinstance(names, str) else list(names)
    resolved: list[str] = []
    for name in names:
        if name in found.unusable:
            raise DataError(f"{file}: array '{name}' {found.unusable[name]}.")
        if name not in found.each and name not in found.groups:
            known = [*found.each, *found.groups]
            raise unknown(str(name), known, f"the columns of {file}")
        resolved += [name] if name in found.each else found.groups[name]
    if not resolved:
        raise DomainError(f"{which} is empty; name at least one column.")
    twice = [name for name in resolved if resolved.count(name) > 1]
    if twice:
        raise DomainError(f"{which} name '{twice[0]}' twice; once is enough.")
    return tuple(resolved)


def _others(
    file: str, found: Columns, label_names: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    for name, reason in found.unusable.items():
        raise DataError(
            f"{file}: array '{name}' {reason}; name the features to leave it out."
        )
    others = [name for name in found.each if name not in label_names]
    texts = [name for name in others if _is_text(found.each[name])]
    kept = [name for name in others if name not in texts]
    if not kept:
        raise DataError(
            f"{file} has no column of numbers beside the targets; there is nothing to "
            "predict from."
        )
    return tuple(kept), tuple(texts)


def _is_text(column: Column) -> bool:
    return column.numbers == 0 and column.text is not None


def _check_lengths(file: str, found: Columns, names: tuple[str, ...]) -> None:
    first = names[0]
    samples = len(found.each[first].values)
    for name in names:
        length = len(found.each[name].values)
        if length != samples:
            raise DataError(
                f"{file}: '{first}' has {samples} rows and '{name}' {length}; name "
                "features and targets that belong together."
            )


def _matrix(file: str, found: Columns, names: tuple[str, ...]) -> np.ndarray:
    for name in names:
        text = found.each[name].text
        if text is not None:
            raise DataError(
                f"{file}: column '{name}' holds text, first in row {text[0]}: "
                f"'{text[1][:40]}'; mend the cell, code the column as numbers, or name "
                "the features without it."
            )
    matrix = np.column_stack([found.each[name].values for name in names])
    bad = np.argwhere(~np.isfinite(matrix))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"{file} holds {len(bad)} values that are missing or infinite, the first "
            f"in row {row + 1} of column '{names[column]}'; fill them or leave those "
            "rows out."
        )
    return matrix
