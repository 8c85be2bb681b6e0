from collections.abc import Callable
from dataclasses import dataclass
from json import loads
from typing import Any

import pytest

from thalweg.cli.main import execute

QUICK = ("--measures", "loss", "--theorems", "none", "--no-page")


@dataclass(frozen=True)
class Told:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        def no_constant(text):
            raise AssertionError(f"{text} is not JSON")

        return loads(self.out, parse_constant=no_constant)


@pytest.fixture
def thalweg(tmp_path, monkeypatch, capsys) -> Callable[..., Told]:
    """Carry out a command line in an empty folder, in this process."""
    monkeypatch.chdir(tmp_path)

    def call(*tokens: str) -> Told:
        code = execute(tokens)
        told = capsys.readouterr()
        return Told(code, told.out, told.err)

    return call


@pytest.fixture
def quick() -> tuple[str, ...]:
    """Return the options of a run that only runs."""
    return QUICK
