"""What is shown on standard error while one waits longer than two seconds."""

import time
from threading import Lock, Timer
from typing import Any

DELAY = 2.0
"""Seconds before anything is shown."""

MEMORY = 20.0
"""Seconds over which the speed is averaged."""


class Watch:
    """A progress line that appears after two seconds, if anybody can see it.

    Args:
        shown: Whether to show anything at all.
    """

    def __init__(self, shown: bool) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._shown = shown and self._console.is_terminal
        self._lock, self._bar, self._timer = Lock(), None, None
        self._text, self._share, self._told = "loading", None, ""
        self._marks: list[tuple[float, int]] = []

    _bar: Any
    _timer: Timer | None
    _share: float | None

    def __enter__(self) -> "Watch":
        """Return the watch, its seconds counted from now."""
        if self._shown:
            self._timer = Timer(DELAY, self._appear)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Clear the line."""
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._shown = False
            if self._bar is not None:
                self._bar.stop()
                self._bar = None

    def phase(self, text: str) -> None:
        """Say what is being done, for how long nobody knows."""
        self._text, self._share, self._told = text, None, ""
        self._marks.clear()
        self._refresh()

    def descent(self, progress: Any, accuracy: float | None) -> None:
        """Show how far a descent is.

        Args:
            progress: A `Progress` of `descend`.
            accuracy: Excess loss at which it may stop earlier.
        """
        self._text = "descending"
        speed, left = self._pace(progress.done, progress.total)
        told = f"{progress.done:,} of {progress.total:,} iterations"
        if speed is not None:
            most = "at most " if accuracy else ""
            told += f", {speed:,.0f} a second, {most}{clock(left)} to go"
        self._told = f"{told}, excess loss {progress.excess_loss:.3g}"
        self._share = progress.done / max(progress.total, 1)
        self._refresh()

    def flow(self, progress: Any) -> None:
        """Show how far a flow is, in flow time; its pace is not foreseeable."""
        self._text = "flowing"
        self._told = (
            f"time {progress.time:.4g} of {progress.horizon:.4g}, "
            f"excess loss {progress.excess_loss:.3g}"
        )
        self._share = progress.time / progress.horizon
        self._refresh()

    def basins(self, progress: Any) -> None:
        """Show how many starts have been followed, and where they led."""
        self._text = "following"
        speed, left = self._pace(progress.done, progress.total)
        told = f"{progress.done:,} of {progress.total:,} starts"
        if speed is not None:
            told += f", {speed:,.0f} a second, {clock(left)} to go"
        counts = ", ".join(f"{k}: {n:,}" for k, n in progress.counts.items() if n)
        self._told = f"{told}; {counts}" if counts else told
        self._share = progress.done / max(progress.total, 1)
        self._refresh()

    def sweep(self, progress: Any) -> None:
        """Show how many runs of a sweep are done, and when all will be."""
        self._text = "sweeping"
        told = f"{progress.done:,} of {progress.total:,} runs"
        if progress.cached:
            told += f" ({progress.cached:,} were there)"
        if progress.failed:
            told += f", {progress.failed:,} failed"
        if progress.left is not None:
            told += f", {clock(progress.left)} to go"
        self._told = told
        self._share = progress.done / max(progress.total, 1)
        self._refresh()

    def rows(self, progress: Any) -> None:
        """Show how many rows have been read, and when all will be."""
        self._text = "reading"
        told = f"{progress.rows:,} of {progress.total_rows:,} rows"
        if progress.kept_rows:
            told += f" ({progress.kept_rows:,} were there)"
        if progress.bad_rows:
            told += f", {progress.bad_rows:,} left out"
        kept = progress.kept_rows
        speed, left = self._pace(
            progress.rows - kept, max(progress.total_rows - kept, 1)
        )
        if speed is not None:
            told += f", {speed:,.0f} a second, {clock(left)} to go"
        self._told = told
        self._share = progress.rows / max(progress.total_rows, 1)
        self._refresh()

    def share(self, text: str, share: float) -> None:
        """Show what is being done, and which share of the whole is done.

        Args:
            text: A few words.
            share: From 0 to 1.
        """
        self._text, self._share = text, share
        speed, left = self._pace(round(share * 1e6), 10**6)
        self._told = f"{share:.0%}"
        if speed is not None and share > 0:
            self._told += f", {clock(left)} to go"
        self._refresh()

    def _pace(self, done: int, total: int) -> tuple[float | None, float]:
        """Return iterations a second of late, compile time apart, and seconds left."""
        now = time.monotonic()
        self._marks = [m for m in self._marks if now - m[0] <= MEMORY] + [(now, done)]
        then, before = self._marks[0]
        if now - then < 0.5:
            return None, 0.0
        speed = (done - before) / (now - then)
        return speed, (total - done) / max(speed, 1e-9)

    def _appear(self) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        with self._lock:
            if not self._shown:
                return
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[told]}"),
                console=self._console,
                transient=True,
            )
            self._bar.add_task(self._text, total=None, told="")
            self._bar.start()
        self._refresh()

    def _refresh(self) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.update(
                    self._bar.task_ids[0],
                    description=self._text,
                    total=None if self._share is None else 1.0,
                    completed=self._share or 0.0,
                    told=self._told,
                )


def clock(seconds: float | int) -> str:
    """Return seconds as a clock shows them: `1:05`, `2:00:00`."""
    whole = int(min(seconds, 1e9))
    hours, minutes = whole // 3600, whole // 60 % 60
    lead = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{lead}:{whole % 60:02d}"
