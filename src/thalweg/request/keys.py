"""Keys that belong to one kind of motion, and what fills them if they are left out."""

FLOWLESS = (
    "iterations",
    "step_size",
    "momentum",
    "every",
    "leap",
    "tolerance",
    "optimizer",
)
"""Keys of a descent, which a flow has not."""

FLOWING = ("horizon", "solver", "rtol", "atol")
"""Keys of a flow, which a descent has not."""

DESCENT = {
    "step_size": "auto",
    "iterations": 10_000,
    "momentum": 0.0,
    "gradient_tolerance": 0.0,
}
LEAP = {**DESCENT, "iterations": 10**9, "tolerance": 1e-9}
FLOW = {"solver": "dopri8", "rtol": 1e-10, "atol": 1e-12, "gradient_tolerance": 1e-9}
LINEAR = {"hidden": [32, 32], "init": "balanced"}
