"""Run the checker alone: `python FOLDER FILE`."""

import sys
from pathlib import Path

if not __package__:
    here = Path(__file__).resolve().parent
    sys.path[0] = str(here.parent)
    __package__ = here.name

from . import verify

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python checker FILE")
    found = verify(sys.argv[1])
    for line in found.lines:
        sys.stdout.write(line + "\n")
    sys.exit(0 if found.ok else found.failure)
