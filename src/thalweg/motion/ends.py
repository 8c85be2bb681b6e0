"""Thousands of descents to their ends, at the cost of their sum.

Nothing is recorded on the way. Runs share lanes of a compiled program; where one ends
the next begins, on every core.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event
from typing import Any

import jax
import numpy as np

from thalweg._core.arrays import real
from thalweg._core.errors import DomainError, ShapeError, at_least_zero, positive, whole
from thalweg._core.outcome import CODES, Status
from thalweg.motion._blocks import cores
from thalweg.motion._crew import Crew, Group, Orders, lanes_of, work_off
from thalweg.motion._narrow import Narrowed, groups_of
from thalweg.motion._posed import Posed, posed
from thalweg.motion.starts import stacked as checked
