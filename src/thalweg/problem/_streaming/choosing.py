"""Which columns of the files are predicted, and from which."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from thalweg._core.errors import DataError, DomainError, unknown
from thalweg.problem._streaming.files import check_names, is_number
from thalweg.problem.columns import EPS


@dataclass(frozen=True)
class Chosen:
    """Columns by name.

    Attributes:
        features: What is predicted from.
        targets: What is predicted.
        left_out: Columns that hold no numbers.
        open_ended: Whether the features are all columns of numbers there are.
        precision: Relative rounding error of each feature as it is stored.
    """

    features: tuple[str, ...]
    targets: tuple[str, ...]
    left_out: tuple[str, ...]
    open_ended: bool
    precision: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all columns that are read."""
        return (*self.features, *self.targets)


def chosen(
    file: str,
    schema: pa.Schema,
    targets: Sequence[str],
    features: Sequence[str] | None,
) -> Chosen:
    """Return the columns asked for.

    Args:
        file: Name of the file whose schema it is, for messages.
        schema: The columns there are.
        targets: Names of those to predict.
        features: Names of those to predict from; `None` takes all others that hold
            numbers.

    Returns:
        The columns.

    Raises:
        DataError: If one holds no numbers, or no feature is left.
        DomainError: If one is named twice, or none is.
    """
    check_names(file, schema.names)
    labels = _resolved(file, schema, "targets", targets)
    left_out: tuple[str, ...] = ()
    if features is None:
        others = [field for field in schema if field.name not in labels]
        left_out = tuple(f.name for f in others if not is_number(f.type))
        inputs = tuple(field.name for field in others if is_number(field.type))
        if not inputs:
            raise DataError(
                f"{file} has no column of numbers beside the targets; there is nothing "
                "to predict from."
            )
    else:
        inputs = _resolved(file, schema, "features", features)
    known = set(labels)
    both = [name for name in inputs if name in known]
    if both:
        raise DomainError(
            f"'{both[0]}' is among the targets and the features; it cannot be both."
        )
    return Chosen(inputs, labels, left_out, features is None, precision(schema, inputs))


def precision(schema: pa.Schema, names: Sequence[str]) -> tuple[float, ...]:
    """Return the relative rounding errors of columns as they are stored."""
    return tuple(_rounding(schema.field(name).type) for name in names)


def _rounding(kind: pa.DataType) -> float:
    if pa.types.is_dictionary(kind):
        return _rounding(kind.value_type)
    if pa.types.is_floating(kind):
        return float(np.finfo(kind.to_pandas_dtype()).eps)
    return EPS


def check_same(first: str, columns: Chosen, file: str, schema: pa.Schema) -> None:
    """Raise if a later file has not the columns of the first.

    Types may change as long as they are numbers; so may the order.

    Args:
        first: Name of the first file.
        columns: What was chosen from it.
        file: Name of the later file.
        schema: Its columns.

    Raises:
        DataError: If a column is missing, holds no numbers, or is new.
    """
    check_names(file, schema.names)
    there, read, left = set(schema.names), set(columns.names), set(columns.left_out)
    for name in columns.names:
        if name not in there:
            raise DataError(
                f"{file} has no column '{name}', which {first} has; all files must "
                "hold the same columns."
            )
        kind = schema.field(name).type
        if not is_number(kind):
            raise DataError(
                f"{file} holds {kind} in column '{name}', where {first} holds numbers; "
                "all files must hold the same columns."
            )
    if columns.open_ended:
        for name in (field.name for field in schema if is_number(field.type)):
            if name not in read and name not in left:
                raise DataError(
                    f"{file} has a column '{name}' that {first} has not; name the "
                    "features to leave it out."
                )
            if name in left:
                raise DataError(
                    f"{file} holds numbers in column '{name}', where {first} holds "
                    "none; name the features to leave it out."
                )


def _resolved(
    file: str, schema: pa.Schema, which: str, names: Sequence[str]
) -> tuple[str, ...]:
    asked = (names,) if isinstance(names, str) else tuple(names)
    if not asked:
        raise DomainError(f"{which} is empty; name at least one column.")
    there, seen = set(schema.names), set[str]()
    for name in map(str, asked):
        if name not in there:
            raise unknown(name, there, f"the columns of {file}")
        if name in seen:
            raise DomainError(f"{which} name '{name}' twice; once is enough.")
        seen.add(name)
        kind = schema.field(name).type
        if not is_number(kind):
            raise DataError(
                f"{file}: column '{name}' holds {kind}, not numbers; code it as "
                f"numbers or leave it out of the {which}."
            )
    return tuple(map(str, asked))
