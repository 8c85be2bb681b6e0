"""Which columns of the files are predicted, and from which."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from thalweg._core.errors import DataError, DomainError, unknown
from thalweg.problem._streaming.files import check_names, is_number


@dataclass(frozen=True)
class Chosen:
    """Columns by name.

    Attributes:
        features: What is predicted from.
        targets: What is predicted.
        left_out: Columns that hold no numbers.
        open_ended: Whether the features are all columns of numbers there are.
        single: Whether a feature is stored in less than double precision.
    """

    features: tuple[str, ...]
    targets: tuple[str, ...]
    left_out: tuple[str, ...]
    open_ended: bool
    single: bool

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
        others = [name for name in schema.names if name not in labels]
        left_out = tuple(n for n in others if not is_number(schema.field(n).type))
        inputs = tuple(name for name in others if name not in left_out)
        if not inputs:
            raise DataError(
                f"{file} has no column of numbers beside the targets; there is nothing "
                "to predict from."
            )
    else:
        inputs = _resolved(file, schema, "features", features)
    both = [name for name in inputs if name in labels]
    if both:
        raise DomainError(
            f"'{both[0]}' is among the targets and the features; it cannot be both."
        )
    kinds = [schema.field(name).type for name in inputs]
    single = any(pa.types.is_floating(kind) and kind.bit_width < 64 for kind in kinds)
    return Chosen(inputs, labels, left_out, features is None, single)


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
    there = set(schema.names)
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
        for name in schema.names:
            known = name in columns.names or name in columns.left_out
            if not known and is_number(schema.field(name).type):
                raise DataError(
                    f"{file} has a column '{name}' that {first} has not; name the "
                    "features to leave it out."
                )
            if name in columns.left_out and is_number(schema.field(name).type):
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
    for name in asked:
        if name not in schema.names:
            raise unknown(str(name), schema.names, f"the columns of {file}")
        if asked.count(name) > 1:
            raise DomainError(f"{which} name '{name}' twice; once is enough.")
        kind = schema.field(name).type
        if not is_number(kind):
            raise DataError(
                f"{file}: column '{name}' holds {kind}, not numbers; code it as "
                f"numbers or leave it out of the {which}."
            )
    return asked
