"""Faults of settings as sentences, each with the path of its key."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from thalweg._core.errors import unknown

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails, InitErrorDetails

Fault = tuple[tuple[str | int, ...], str, Any]
"""Where, what, and the value that came."""

_LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_KINDS = {
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "a name or a table",
    "model_attributes_type": "a name or a table",
    "finite_number": "a finite number",
}


def together(title: str, faults: Sequence[Fault]) -> "ValidationError":
    """Return one exception for several faults, to be raised inside a validator.

    Args:
        title: Name of the model.
        faults: Where each is, below the model, and what it is.

    Returns:
        The exception; pydantic puts the model's own place in front of each path.
    """
    from pydantic import ValidationError
    from pydantic_core import PydanticCustomError

    lines: list[InitErrorDetails] = [
        {
            "type": PydanticCustomError("fault", "{text}", {"text": text}),
            "loc": place,
            "input": value,
        }
        for place, text, value in faults
    ]
    return ValidationError.from_exception_data(title, lines)


def handled(title: str, handler: Any, value: Any, faults: list[Fault]) -> Any:
    """Return what a model makes of a value, or raise all that is wrong with it.

    Args:
        title: Name of the model.
        handler: Pydantic's own validation.
        value: What came.
        faults: Faults pydantic does not see.

    Returns:
        The model.

    Raises:
        ValidationError: If there is a fault of either kind.
    """
    from pydantic import ValidationError

    try:
        made = handler(value)
    except ValidationError as error:
        seen = [(one["loc"], _text(one, []), one["input"]) for one in error.errors()]
        faults = [*seen, *faults]
    if faults:
        both: ValidationError = together(title, faults)
        raise both
    return made


def no_such_key(key: str, known: Iterable[str]) -> str:
    """Return the sentence about a key nobody reads, with the nearest of `known`."""
    hint = str(unknown(key, known, "this table")).partition(". ")[2]
    return f"no such key. {hint}"


def sentences(error: "ValidationError", known: Iterable[str]) -> list[str]:
    """Return every fault of a settings model as `path: sentence`.

    Args:
        error: What pydantic found.
        known: The keys of the top level.

    Returns:
        One line a fault, in the order of the keys.
    """
    known = list(known)
    return [f"{_path(one['loc'])}: {_text(one, known)}" for one in error.errors()]


def _path(place: tuple[str | int, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).lstrip(".")


def _text(one: "ErrorDetails", known: list[str]) -> str:
    kind, came, context = one["type"], shown(one["input"]), one.get("ctx", {})
    if kind == "fault":
        return one["msg"]
    if kind == "extra_forbidden":
        return no_such_key(str(one["loc"][-1]), known)
    if kind in _LIMITS:
        name, word = _LIMITS[kind]
        return f"{came} came; it must be {word} {context[name]:g}."
    if kind == "literal_error":
        return f"{came} came; it must be {_expected(context)}."
    if kind in _KINDS:
        return f"{came} came; it must be {_KINDS[kind]}."
    return f"{came} came; {one['msg'][:1].lower()}{one['msg'][1:]}."


def _expected(context: dict[str, Any]) -> str:
    return str(context["expected"]).replace("True, False", "true, false")


def shown(value: Any) -> str:
    """Return a value as a settings file spells it, cut to a readable length."""
    if isinstance(value, bool):
        text = str(value).lower()
    else:
        text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
