"""The settings of a run as one model; the keys are those of a TOML file."""

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StrictStr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from thalweg._core.errors import unknown
from thalweg.request.entries import checked_name, field_faults, named
from thalweg.request.faults import Fault, handled, no_such_key, shown, together

MEASURES = (
    "loss",
    "excess_loss",
    "gradient_norm",
    "imbalance",
    "norm_gaps",
    "deficiency_margin",
    "singular_modes",
    "alignment",
    "layer_singular_values",
)
"""What is recorded unless something else is asked for."""

PREPARATION = {
    "center": True,
    "whiten": True,
    "labels": "raw",
    "scale": "mean",
    "bias": False,
}
"""How samples are prepared unless something else is asked for."""


def _fault(text: str) -> PydanticCustomError:
    return PydanticCustomError("fault", "{text}", {"text": text})


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _fault(f"{shown(value)} came; it must be a number.")
    return value


def _whole(value: Any) -> Any:
    if not isinstance(_number(value), int) and not float(value).is_integer():
        raise _fault(f"{value} came; it must be a whole number.")
    return value


def _step(value: Any) -> float | str:
    if isinstance(value, str):
        if value in ("auto", "certified"):
            return value
        raise _fault(
            f"{shown(value)} came; it must be a number, 'auto' or 'certified'."
        )
    if not 0 < _number(value) < float("inf"):
        raise _fault(f"{value} came; it must be positive and finite.")
    return float(value)


def _theorems(value: Any) -> Any:
    if value == "all":
        return value
    if not isinstance(value, list | tuple):
        raise _fault(f"{shown(value)} came; it must be 'all' or a list of names.")
    faults: list[Fault] = []
    names = []
    for place, name in enumerate(value):
        found, wrong = checked_name("theorems", name)
        names.append(found)
        faults += [((place,), wrong, name)] if wrong else []
    if faults:
        raise together("theorems", faults)
    return tuple(names)


def _solver(value: str) -> str:
    from thalweg.motion.flow import SOLVERS

    known = (*SOLVERS, "exact")
    if value not in known:
        raise _fault(str(unknown(value, known, "the list of solvers")))
    return value


def _optimizer(value: str) -> str:
    from thalweg.motion.train import OPTIMIZERS

    if value not in OPTIMIZERS:
        raise _fault(str(unknown(value, OPTIMIZERS, "the list of optimizers")))
    return value


def _rectangular(
    rows: tuple[tuple[float, ...], ...],
) -> tuple[tuple[float, ...], ...]:
    lengths = sorted({len(row) for row in rows})
    if len(lengths) != 1 or lengths == [0]:
        raise _fault(f"rows of {lengths} numbers came; all must be equally long.")
    return rows


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str | dict) else value


Real = Annotated[float, BeforeValidator(_number)]
Positive = Annotated[Real, Field(gt=0)]
NonNegative = Annotated[Real, Field(ge=0)]
Whole = Annotated[int, BeforeValidator(_whole), Field(ge=0, lt=2**53)]
Count = Annotated[int, BeforeValidator(_whole), Field(ge=1, lt=2**53)]
Step = Annotated[float | str, PlainValidator(_step)]
Optimizer = Annotated[StrictStr, AfterValidator(_optimizer)]
Solver = Annotated[StrictStr, AfterValidator(_solver)]
Names = Annotated[tuple[StrictStr, ...], BeforeValidator(_several)]
Matrix = Annotated[tuple[tuple[Real, ...], ...], AfterValidator(_rectangular)]


class _Entry(BaseModel):
    """A name on a shelf, with the fields of what stands there."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    shelf: ClassVar[str]
    filled: ClassVar[tuple[str, ...]] = ()

    name: StrictStr

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, value: Any, handler: Any) -> Any:
        value = named(cls.shelf, value)
        faults: list[Fault] = []
        if isinstance(value, dict):
            name = value.get("name", cls.model_fields["name"].default)
            fields = {k: v for k, v in value.items() if k != "name"}
            if isinstance(name, str):
                faults = field_faults(cls.shelf, name, fields, cls.filled)
        return handled(cls.__name__, handler, value, faults)

    @property
    def fields(self) -> dict[str, Any]:
        """Return the fields given, by name."""
        return dict(self.model_extra or {})

    def __str__(self) -> str:
        """Return the entry as a call: `balanced(std=0.1)`."""
        told = ", ".join(f"{key}={value}" for key, value in self.fields.items())
        return f"{self.name}({told})" if told else self.name


class Init(_Entry):
    """How the weights start."""

    shelf: ClassVar[str] = "inits"
    filled: ClassVar[tuple[str, ...]] = ("target",)

    name: StrictStr = "balanced"


class Measure(_Entry):
    """What is recorded."""

    shelf: ClassVar[str] = "measures"


class Data(BaseModel):
    """What is learned: a data set, a file of samples, saved moments, or a target.

    Attributes:
        name: A data set on the shelf; its own fields are further keys.
        file: Or a CSV, Parquet or NPZ file.
        moments: Or a folder of moments, prepared when they were saved.
        target: Or the target of a whitened problem, row by row.
        targets: Columns of the file to predict.
        features: Columns of the file to predict from.
        center: Subtract the means of both, or of the `inputs` only.
        whiten: Change to white coordinates.
        labels: `raw`, `standard` or `unit`.
        scale: `mean` or `sum`.
        bias: Append a constant coordinate.
        data_dir: Folder of the data set's files.
    """

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    name: StrictStr | None = None
    file: StrictStr | None = None
    moments: StrictStr | None = None
    target: Matrix | None = None
    targets: Names | None = None
    features: Names | None = None
    center: Literal[True, False, "inputs"] | None = None
    whiten: StrictBool | None = None
    labels: Literal["raw", "standard", "unit"] | None = None
    scale: Literal["mean", "sum"] | None = None
    bias: StrictBool | None = None
    data_dir: StrictStr | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, value: Any, handler: Any) -> Any:
        value = named("datasets", value)
        faults: list[Fault] = []
        if isinstance(value, dict):
            faults = _misplaced(value, {*cls.model_fields})
            if "target" not in value and "moments" not in value:
                value = {**PREPARATION, **value}
        return handled(cls.__name__, handler, value, faults)

    @property
    def fields(self) -> dict[str, Any]:
        """Return the data set's own fields, by name."""
        return dict(self.model_extra or {})

    @property
    def preparation(self) -> dict[str, Any]:
        """Return how the samples are to be prepared."""
        return {key: getattr(self, key) for key in PREPARATION}

    @property
    def label(self) -> str:
        """Return a short name, fit for a folder."""
        if self.name is not None:
            return self.name
        file = self.file or self.moments
        return "target" if file is None else _stem(file)


def _misplaced(value: dict[str, Any], keys: set[str]) -> list[Fault]:
    """Return the keys of a table `data` that do not go with its kind."""
    kinds = [kind for kind in ("name", "file", "moments", "target") if kind in value]
    if len(kinds) != 1:
        came = " and ".join(kinds) or "none"
        return [
            ((), f"{came} came; give one of name, file, moments and target.", value)
        ]
    owners = {"targets": "file", "features": "file", "data_dir": "name"}
    owners |= dict.fromkeys(PREPARATION, "name or file")
    owners["scale"] = "name, file or target"
    faults: list[Fault] = [
        ((key,), f"only data of a {owner} has it.", value[key])
        for key, owner in owners.items()
        if key in value and kinds[0] not in owner
    ]
    others = {key: value[key] for key in value if key not in keys}
    if kinds[0] != "name":
        return [
            *faults,
            *(((key,), no_such_key(key, keys), value[key]) for key in others),
        ]
    if isinstance(value["name"], str):
        faults += field_faults("datasets", value["name"], others)
    return faults


def _stem(file: str) -> str:
    return re.sub(r"[^\w.-]+", "_", Path(file).stem) or "file"


def _distinct(measures: tuple[Measure, ...]) -> tuple[Measure, ...]:
    names = [measure.name for measure in measures]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise _fault(f"'{twice[0]}' came twice; a path has one column of each name.")
    return measures


class Settings(BaseModel):
    """Everything a run is asked for.

    Attributes:
        data: What is learned; or `playground`.
        playground: Depth of the lecture's playground.
        start: Its start, one number a factor.
        hidden: Hidden widths; none for a single layer.
        init: How the weights start.
        seed: Of the start's random draw.
        step_size: A number, `auto` or `certified`.
        iterations: Most iterations.
        accuracy: Excess loss at which to stop; also what certificates count to.
        momentum: Heavy-ball coefficient.
        gradient_tolerance: Gradient norm that counts as rest.
        leap: Leap over iterations where it pays, instead of taking each.
        tolerance: Error a leaping run may make, relative to the largest weight.
        optimizer: Take the steps of another optimizer instead (see `train`).
        flow: Integrate the gradient flow instead of descending.
        horizon: Flow time to reach.
        solver: Of the flow; `exact` is its closed form, taken to the horizon.
        rtol: Relative tolerance of the solver.
        atol: Absolute tolerance of the solver.
        compress: Move the smallest net with the same trajectory.
        measures: What is recorded.
        records: About how many records.
        every: Or record every so many iterations.
        theorems: Which are certified.
        out: Folder of the result.
        page: Whether to write the page.
        figures: Formats in which to write the figures.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    data: Data | None = None
    playground: Count | None = None
    start: tuple[Real, ...] | None = None
    hidden: tuple[Count, ...] | None = None
    init: Init | None = None
    seed: Whole = 0
    step_size: Step | None = None
    iterations: Whole | None = None
    accuracy: NonNegative = 1e-6
    momentum: Annotated[Real, Field(ge=0, lt=1)] | None = None
    gradient_tolerance: NonNegative | None = None
    leap: StrictBool = False
    tolerance: Annotated[Real, Field(ge=1e-13, le=1e-2)] | None = None
    optimizer: Optimizer | None = None
    flow: StrictBool = False
    horizon: Positive | None = None
    solver: Solver | None = None
    rtol: Positive | None = None
    atol: Positive | None = None
    compress: StrictBool = True
    measures: Annotated[
        tuple[Measure, ...],
        BeforeValidator(_several),
        AfterValidator(_distinct),
        Field(validate_default=True),
    ] = MEASURES  # type: ignore[assignment]
    records: Annotated[Count, Field(ge=2)] | None = None
    every: Count | None = None
    theorems: Annotated[Any, PlainValidator(_theorems)] = "all"
    out: StrictStr | None = None
    page: StrictBool = True
    figures: Annotated[
        tuple[Literal["png", "svg", "pdf"], ...], BeforeValidator(_several)
    ] = ()

    @property
    def label(self) -> str:
        """Return a short name of what is learned, fit for a folder."""
        return "playground" if self.data is None else self.data.label

    def to_plain(self) -> dict[str, Any]:
        """Return the settings as a file would spell them out."""
        return self.model_dump(mode="json", exclude_none=True)
