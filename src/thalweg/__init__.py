"""Thalweg: what gradient descent really does on deep linear networks.

Names are loaded on first use, so importing the package is quick and free of JAX.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from thalweg._core.version import VERSION

if TYPE_CHECKING:
    from thalweg.beside.along import certify_path
    from thalweg.beside.looseness import looseness
    from thalweg.checker import Verified, verify
    from thalweg.doors import dataset, init, measure, theorem
    from thalweg.experiments._reproduce import Reproduction, reproduce
    from thalweg.landscape.basins import basins
    from thalweg.landscape.closed_spectrum import closed_spectrum
    from thalweg.landscape.coefficient import learning_coefficient
    from thalweg.landscape.critical import critical_points
    from thalweg.landscape.density import spectral_density
    from thalweg.landscape.directions import escape_direction
    from thalweg.landscape.escape import escape
    from thalweg.landscape.find import find_critical_point
    from thalweg.landscape.hessian import hessian
    from thalweg.landscape.higher import escape_order
    from thalweg.landscape.inertia import inertia
    from thalweg.landscape.itinerary import itinerary
    from thalweg.landscape.laws import count_laws
    from thalweg.landscape.marking import mark_plateaus
    from thalweg.landscape.nearest import nearest_critical_point
    from thalweg.landscape.planes import slice_basins
    from thalweg.landscape.spectrum import hessian_spectrum
    from thalweg.landscape.strata import strata
    from thalweg.landscape.strictness import classify
    from thalweg.landscape.tally import Basins
    from thalweg.landscape.values import critical_values
    from thalweg.linalg.chain import end_to_end, invariants, segment
    from thalweg.motion.angle import angle_condition
    from thalweg.motion.descend import descend, resume
    from thalweg.motion.ends import descend_to_ends
    from thalweg.motion.exact import (
        ExactFlow,
        escape_time,
        exact_flow,
        learning_time,
        mode_strength,
        mode_time,
    )
    from thalweg.motion.flow import flow
    from thalweg.motion.leap import leap
    from thalweg.motion.path import Path
    from thalweg.motion.rates import iterations_to, observed_rate, plateaus
    from thalweg.motion.shadow import shadow, shadow_of
    from thalweg.motion.train import train
    from thalweg.problem.compress import compress
    from thalweg.problem.datasets._load import load, load_samples
    from thalweg.problem.losses import CrossEntropy, Huber, Logistic, Power, Squared
    from thalweg.problem.moments import Moments
    from thalweg.problem.nets import LinearNet
    from thalweg.problem.problem import Problem
    from thalweg.problem.samples import SampleProblem
    from thalweg.problem.scalar import Playground
    from thalweg.report.figure import figure
    from thalweg.report.page import page
    from thalweg.report.phase import phase_diagram
    from thalweg.report.table import summary
    from thalweg.sweep.design import Design
    from thalweg.sweep.run import run_sweep
    from thalweg.sweep.table import Table
    from thalweg.theorems._certificate import Certificate
    from thalweg.theorems._certify import certify, certify_all
    from thalweg.theorems._chance import monte_carlo
    from thalweg.theorems._explain import explain
    from thalweg.theorems._mends import mends
    from thalweg.theorems._steps import safe_step

__version__ = VERSION

_DOORS = {
    "Verified": "checker",
    "verify": "checker",
    "certify_path": "beside.along",
    "dataset": "doors",
    "init": "doors",
    "measure": "doors",
    "theorem": "doors",
    "Reproduction": "experiments._reproduce",
    "reproduce": "experiments._reproduce",
    "basins": "landscape.basins",
    "closed_spectrum": "landscape.closed_spectrum",
    "learning_coefficient": "landscape.coefficient",
    "critical_points": "landscape.critical",
    "spectral_density": "landscape.density",
    "escape_direction": "landscape.directions",
    "escape": "landscape.escape",
    "find_critical_point": "landscape.find",
    "hessian": "landscape.hessian",
    "escape_order": "landscape.higher",
    "inertia": "landscape.inertia",
    "itinerary": "landscape.itinerary",
    "count_laws": "landscape.laws",
    "mark_plateaus": "landscape.marking",
    "nearest_critical_point": "landscape.nearest",
    "slice_basins": "landscape.planes",
    "hessian_spectrum": "landscape.spectrum",
    "strata": "landscape.strata",
    "classify": "landscape.strictness",
    "Basins": "landscape.tally",
    "critical_values": "landscape.values",
    "end_to_end": "linalg.chain",
    "invariants": "linalg.chain",
    "segment": "linalg.chain",
    "angle_condition": "motion.angle",
    "descend": "motion.descend",
    "resume": "motion.descend",
    "descend_to_ends": "motion.ends",
    "ExactFlow": "motion.exact",
    "escape_time": "motion.exact",
    "exact_flow": "motion.exact",
    "learning_time": "motion.exact",
    "mode_strength": "motion.exact",
    "mode_time": "motion.exact",
    "flow": "motion.flow",
    "leap": "motion.leap",
    "Path": "motion.path",
    "iterations_to": "motion.rates",
    "observed_rate": "motion.rates",
    "plateaus": "motion.rates",
    "shadow": "motion.shadow",
    "shadow_of": "motion.shadow",
    "train": "motion.train",
    "compress": "problem.compress",
    "load": "problem.datasets._load",
    "load_samples": "problem.datasets._load",
    "CrossEntropy": "problem.losses",
    "Huber": "problem.losses",
    "Logistic": "problem.losses",
    "Power": "problem.losses",
    "Squared": "problem.losses",
    "Moments": "problem.moments",
    "LinearNet": "problem.nets",
    "Problem": "problem.problem",
    "SampleProblem": "problem.samples",
    "Playground": "problem.scalar",
    "figure": "report.figure",
    "looseness": "beside.looseness",
    "page": "report.page",
    "phase_diagram": "report.phase",
    "summary": "report.table",
    "Design": "sweep.design",
    "run_sweep": "sweep.run",
    "Table": "sweep.table",
    "Certificate": "theorems._certificate",
    "certify": "theorems._certify",
    "certify_all": "theorems._certify",
    "monte_carlo": "theorems._chance",
    "explain": "theorems._explain",
    "mends": "theorems._mends",
    "safe_step": "theorems._steps",
}

__all__ = [*sorted(_DOORS)]


def __getattr__(name: str) -> Any:
    if name not in _DOORS:
        raise AttributeError(f"module 'thalweg' has no attribute '{name}'")
    value = getattr(import_module(f"thalweg.{_DOORS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_DOORS])
