"""Starts that refuse some nets, and data that are not there."""

from pathlib import Path
from typing import Any

from thalweg._core.errors import ThalwegError
from thalweg.request.entries import shelf_of
from thalweg.request.posing import init_of, problem_of
from thalweg.request.settings import Data, Settings
from thalweg.sweep.keys import FILES, canonical, content_of, paths_in

FREE = {"gaussian", "he", "xavier", "orthogonal", "identity", "zero_asymmetric"}
"""Inits that start every net there is."""

FREE_UNLESS = {"balanced": "end_to_end"}
"""Inits that start every net unless this field is given."""


class Fits:
    """Tells whether starts fit nets and data are there, each looked at once."""

    def __init__(self) -> None:
        self._problems: dict[str, Any] = {}
        self._told: dict[str, str] = {}

    def faults(self, unit: dict[str, Any]) -> list[str]:
        """Return what is wrong with a run whose settings are as they must be.

        Args:
            unit: Its plain settings.

        Returns:
            A sentence if its data are not there, or its start refuses its net.
        """
        data, init = unit.get("data"), unit.get("init")
        if data is not None:
            told = self._once(f"data {canonical(_recipe(data))}", _missing, data)
            if told:
                return [f"data: {told}"]
        for path in sorted(paths_in({"init": init})):
            told = self._once(f"file {path}", _absent, path)
            if told:
                return [f"init.weights: {told}"]
        if init is None or is_free(init):
            return []
        net = [init, data and _recipe(data), unit.get("hidden"), unit.get("playground")]
        told = self._once(f"start {canonical(net)}", self._refused, unit)
        return [f"init: {told}"] if told else []

    def _once(self, key: str, look: Any, at: Any) -> str:
        if key not in self._told:
            self._told[key] = look(at)
        return self._told[key]

    def _refused(self, unit: dict[str, Any]) -> str:
        """Return why a start refuses its net; empty if it does not."""
        import jax  # noqa: PLC0415  (plans of other starts do without it)

        settings = Settings.model_validate(unit)
        recipe = canonical(
            [
                _recipe(unit.get("data") or {}),
                unit.get("hidden"),
                unit.get("playground"),
            ]
        )
        try:
            if recipe not in self._problems:
                self._problems[recipe] = problem_of(settings)[0]
            problem = self._problems[recipe]
            init = init_of(settings, problem)
            jax.eval_shape(lambda seed: init.draw(jax.random.key(seed), problem.net), 0)
        except ThalwegError as error:
            return str(error)
        return ""


def is_free(init: dict[str, Any]) -> bool:
    """Return whether a start fits every net."""
    name = init["name"]
    return name in FREE or (name in FREE_UNLESS and FREE_UNLESS[name] not in init)


def _recipe(data: dict[str, Any]) -> dict[str, Any]:
    """Return the table of data without the seed, of which no shape depends."""
    return {key: value for key, value in data.items() if key != "seed"}


def _missing(data: dict[str, Any]) -> str:
    """Return why data cannot be had; empty if they can."""
    for table, key in FILES:
        if table == "data" and isinstance(data.get(key), str):
            return _absent(data[key])
    if "name" not in data:
        return ""
    entry: Any = shelf_of("datasets").entry(data["name"])
    if entry.offline:
        return ""
    fields = Data.model_validate(data).fields
    if "data_dir" in data:
        fields["data_dir"] = data["data_dir"]
    try:
        entry(**fields).load()
    except ThalwegError as error:
        return str(error)
    return ""


def _absent(path: str) -> str:
    try:
        content_of(Path(path))
    except ThalwegError as error:
        return str(error)
    return ""
