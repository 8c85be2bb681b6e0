"""The contract of an engine: fields, and the verb `map`."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from thalweg.sweep.fitting import available


@dataclass(frozen=True)
class AbstractEngine:
    """Carries out independent tasks, wherever.

    Its fields are plain values. Whatever the engine, the same tasks give the same
    results to the last bit: a task depends on nothing but itself.

    Attributes:
        needs: What must be installed besides Thalweg, as pip is told it; empty for
            nothing.
    """

    needs: ClassVar[str] = ""

    @abstractmethod
    def map(
        self, function: Callable[[Any], Any], tasks: Sequence[Any]
    ) -> Iterator[tuple[int, Any]]:
        """Yield the number and the result of every task, as they are finished.

        Args:
            function: A function at the top of a module.
            tasks: Values that can be pickled; so must the results be.

        Yields:
            Place in `tasks`, and the result. What a task raises is raised here. When
            the caller stops asking (Ctrl-C included) nothing goes on behind it.
        """

    def ceiling(self) -> int:
        """Return how many bytes a task may take; all that is free here unless said."""
        return available()
