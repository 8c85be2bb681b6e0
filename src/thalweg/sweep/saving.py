"""The trajectory of a run as the bytes of its files.

Bytes, not a folder: a worker need not share the disk with the sweep, and one process
alone writes to the sweep's folder.
"""

import tempfile
from pathlib import Path
from typing import Any

from thalweg._core.store import CARD
from thalweg.request.checking import checked
from thalweg.request.moving import mover
from thalweg.request.posing import notes, pose
from thalweg.request.settings import Settings
from thalweg.sweep.turn import turn


def path_files(
    settings: Settings, step: float | None, recording: dict[str, Any]
) -> dict[str, bytes]:
    """Return the files of a run's trajectory, as `thalweg run` would save it.

    Args:
        settings: What is asked for.
        step: The step size; `None` for a flow.
        recording: What is recorded: measures, and records or every.

    Returns:
        Their bytes by name, the card the last.
    """
    plain = settings.to_plain()
    if not settings.measures:
        del plain["measures"]
    full = checked({**plain, **recording})
    posed = pose(full)
    path = mover(full, posed, step)(on_progress=turn().check)
    noted = path.with_notes(**notes(full, posed, "thalweg sweep"))
    with tempfile.TemporaryDirectory() as folder:
        noted.save(folder)
        files = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
    return {name: files[name] for name in sorted(files, key=lambda n: n == CARD)}
