"""Which starts lead where: exact oracles, reproducible, resumable, killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from thalweg import LinearNet, Moments, Playground, Problem
from thalweg._core.errors import DomainError, StoreError
from thalweg.inits.identity import Identity
from thalweg.landscape._following import carrying
from thalweg.landscape._following.drawing import starts_of
from thalweg.landscape._following.parts import Columns
from thalweg.landscape._following.sorting import is_exactly_critical, lowest_saddle
from thalweg.landscape._following.symmetric import kept_loss
from thalweg.landscape._following.task import Task, _chunk
from thalweg.landscape._points.ground import Ground
from thalweg.landscape.basins import basins
from thalweg.landscape.tally import Basins
from tolerances import is_a_sentence


def target(*diagonal, depth=3, width=None):
    size = len(diagonal)
    widths = (size, *(width or size,) * (depth - 1), size)
    return Problem(LinearNet(widths), Moments.whitened(np.diag(diagonal)))


def verdicts(found):
    return [found.limits[code].verdict for code in found.columns.limit]


def same(one, other):
    assert one.limits == other.limits
    assert one.numbers.tolist() == other.numbers.tolist()
    for name in Columns.names():
        assert getattr(one.columns, name).tobytes() == (
            getattr(other.columns, name).tobytes()
        )


def of_the_flow(x):
    """Where the gradient flow of the playground goes: MATH A.6, exactly."""
    product, sizes = np.prod(np.sign(x)), np.sort(np.abs(x))
    if product > 0 or (product < 0 and sizes[0] < sizes[1]):
        return "global minimum"
    if product < 0:
        return "saddle"
    return "global minimum" if np.count_nonzero(x == 0) == 1 else "saddle"


@pytest.mark.parametrize("method", ["flow", "descent"])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_playground_is_sorted_as_the_flow_is(depth, method):
    generator = np.random.default_rng(depth)
    starts = generator.uniform(-1.5, 1.5, (60, depth))
    starts[20:40, 1] = -starts[20:40, 0]
    starts[40:45] = np.abs(starts[40:45, :1]) * np.sign(starts[40:45])
    starts[45:50, 0] = 0.0
    starts[50:55, :2] = 0.0
    found = basins(Playground(depth), starts, method=method, iterations=30_000)
    truth = [of_the_flow(x) for x in starts]
    seen = verdicts(found)
    decided = [place for place, verdict in enumerate(seen) if verdict != "undecided"]
    assert len(decided) >= 54
    assert [seen[p] for p in decided] == [truth[p] for p in decided]
    assert all(found.limits[c].modes in (None, ()) for c in found.columns.limit)


@pytest.mark.parametrize(("depth", "x"), [(2, [-1.0, 1.0]), (4, [-1.0, 1.0, 1.0, 1.0])])
def test_exercise_42(depth, x):
    found = basins(Playground(depth), [x], step_size=0.05, iterations=10_000)
    assert found.limit_of(0).modes == ()
    assert found.limit_of(0).excess_loss == 0.5
    path = found.follow(0, iterations=1, at=[1])
    expected = 0.9 if depth == 4 else 0.95 - 0.05
    assert np.abs(np.asarray(path.weights)) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_from_the_identity_negative_modes_are_not_learnt(depth):
    problem = target(3.0, -2.0, 1.0, depth=depth)
    starts = Identity(1.0).draw(0, problem.net)
    scales = np.array([0.5, 1.0, -1.0])
    stack = tuple(scales[:, None, None] * np.asarray(layer) for layer in starts)
    found = basins(problem, stack, iterations=3000)
    goals = np.array([3.0, -2.0, 1.0])
    a = np.repeat(scales[:, None], 3, axis=1)
    for _ in range(20_000):
        a -= 0.005 * a ** (depth - 1) * (a**depth - goals)
    learnt = np.abs(a**depth - goals) < 1e-6
    for run in range(3):
        limit = found.limit_of(run)
        assert limit.modes == tuple((np.flatnonzero(learnt[run]) + 1).tolist())
        assert limit.excess_loss == np.sum(goals[~learnt[run]] ** 2) / 2


def test_a_turned_negative_target_is_decided_by_symmetry():
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    goal = turn @ np.diag([2.0, -1.0, 0.5]) @ turn.T
    goal = (goal + goal.T) / 2
    problem = Problem(LinearNet((3,) * 5), Moments.whitened(goal))
    found = basins(problem, tuple(np.eye(3)[None] for _ in range(4)), iterations=500)
    assert found.limit_of(0).modes == (1, 3)
    assert found.table[0].by_symmetry == 1


def test_an_absent_mode_is_never_learnt_and_the_float_gradient_is_exact():
    problem = target(2.0, 1.0, depth=2)
    starts = tuple(np.diag([size, 0.0])[None] for size in (0.7, 0.5))
    found = basins(problem, starts, iterations=20_000)
    limit = found.limit_of(0)
    assert (limit.verdict, limit.modes, limit.excess_loss) == ("saddle", (1,), 0.5)
    row = found.table[0]
    assert row.exactly + row.by_zeros == 1
    chain = [np.asarray(layer) for layer in found.saddle(0)]
    error = [
        [sum(Fraction(chain[1][i, k]) * Fraction(chain[0][k, j]) for k in range(2))
         - Fraction([[2, 0], [0, 1]][i][j]) for j in range(2)]
        for i in range(2)
    ]  # fmt: skip
    slopes = [
        sum(error[i][k] * Fraction(chain[0][j, k]) for k in range(2))
        for i in range(2)
        for j in range(2)
    ]
    assert (row.exactly == 1) == (not any(slopes))


@pytest.mark.parametrize("depth", [2, 3])
def test_an_absent_mode_is_never_learnt_by_zeros(depth):
    problem = target(2.0, 1.0, depth=depth)
    starts = tuple(np.diag([0.5 + 0.1 * j, 0.0])[None] for j in range(depth))
    found = basins(problem, starts, step_size=0.011)
    assert str(found.limit_of(0)) == "saddle, modes learnt: 1"
    assert found.limit_of(0).excess_loss == 0.5
    row = found.table[0]
    assert row.by_zeros + row.exactly == 1
    told = "by zeros of the start" if row.by_zeros else "to the last bit"
    assert f"(1 {told})" in found.lines()[0]
    assert row.to_json()["by_zeros"] == row.by_zeros
    assert kept_loss(Ground.of(problem), tuple(s[0][..., None] for s in starts)) == 0.5


def test_a_dead_unit_keeps_a_mode_from_being_learnt():
    problem = target(2.0, 1.0, depth=2)
    generator = np.random.default_rng(5)
    starts = [generator.standard_normal((12, 2, 2)) for _ in range(2)]
    starts[0][:8, 1] = 0.0
    starts[1][:4, :, 1] = 0.0
    found = basins(problem, tuple(starts))
    assert verdicts(found) == ["saddle"] * 4 + ["global minimum"] * 8
    assert {found.limit_of(run).modes for run in range(4)} == {(1,)}
    assert set(found.columns.known[:4].tolist()) <= {1, 3}
    assert found.columns.known[4:].tolist() == [-1] * 8
    stack = tuple(np.moveaxis(layer, 0, -1) for layer in starts)
    bounds = kept_loss(Ground.of(problem), stack)
    assert bounds.tolist() == [0.5] * 4 + [0.0] * 8


def test_rest_by_rounding_is_undecided():
    # The gradient is of size 1e-34, a unit in the last place 1e-33.
    found = basins(target(2.0, 1.0), runs=40, std=1e-17, iterations=300)
    told = {str(limit) for limit in found.limits}
    held = "undecided: at rest to rounding, modes learnt: none"
    assert told <= {held, "undecided: out of iterations"}
    assert held in told
    assert found.share("saddle").successes == 0
    assert found.share("undecided").successes == 40
    assert not found.saddle_runs.size
    assert set(found.columns.known.tolist()) <= {0, -1}


def test_every_run_at_rest_is_looked_at():
    starts = np.zeros((700, 3))
    starts[:, 0] = np.linspace(-1.0, 1.0, 700)
    found = basins(Playground(3), starts)
    assert found.columns.known.tolist() == [1] * 700
    assert found.table[0].exactly == 700


def test_zeros_that_fill_up_keep_nothing():
    # One absent mode, of which the other layer knows; and zeros that others fill.
    ground = Ground.of(target(2.0, 1.0, depth=2))
    one = np.array([[1.0, 0.0], [0.0, 0.0]])[..., None]
    assert kept_loss(ground, (one, np.eye(2)[..., None])) == 0.0
    assert kept_loss(ground, (one, one)) == 0.5
    assert kept_loss(ground, (np.zeros((2, 2, 1)),) * 2) == 2.5
    swapped = np.array([[0.0, 1.0], [0.0, 0.0]])[..., None]
    assert kept_loss(ground, (swapped, one)) == 0.5
    assert kept_loss(ground, (one, np.ones((2, 2, 1)))) == 0.0


@pytest.mark.parametrize("widths", [(2, 3, 2), (3, 2, 3), (2, 2, 2, 2), (3, 1, 2)])
@pytest.mark.parametrize("white", [True, False])
def test_descent_never_comes_below_what_zeros_allow(widths, white):
    generator = np.random.default_rng(sum(widths) + white)
    inputs = generator.standard_normal((30, widths[0]))
    labels = generator.standard_normal((30, widths[-1]))
    data = Moments.from_data(inputs, labels)
    if white:
        goal = np.zeros((widths[-1], widths[0]))
        np.fill_diagonal(goal, [3.0, 2.0, 1.0][: min(goal.shape)])
        data = Moments.whitened(goal)
    problem = Problem(LinearNet(widths), data)
    starts = []
    for shape in problem.net.shapes:
        layer = generator.standard_normal((200, *shape))
        starts.append(layer * (generator.random(layer.shape) < 0.35))
    found = basins(problem, tuple(starts), iterations=3000)
    ground = Ground.of(problem)
    stack = tuple(np.moveaxis(layer, 0, -1) for layer in starts)
    bounds = kept_loss(ground, stack) - ground.infimum
    # A loss is a sum of squares whose rounding RESOLVED allows for.
    slack = 1e-13 * float(np.sum(ground.modes.values**2))
    assert np.all(bounds <= found.columns.excess + slack)
    minima = np.array(verdicts(found)) == "global minimum"
    assert minima.any()
    assert np.all(bounds[minima] <= slack)
    assert np.all(found.columns.known[minima] == -1)
    assert np.any(bounds > slack)
    saddles = np.array(verdicts(found)) == "saddle"
    assert np.all(found.columns.known[saddles] > 0)


def test_a_gradient_is_zero_exactly_or_not():
    ground = Ground.of(target(2.0, 1.0, depth=2))
    chain = [np.diag([2.0, 0.0]), np.diag([1.0, 0.0])]
    assert is_exactly_critical(ground, chain)
    chain[0][0, 0] = np.nextafter(2.0, 3.0)
    assert not is_exactly_critical(ground, chain)
    chain = [np.diag([1e-320, 0.0]), np.diag([1.0, 0.0])]
    assert not is_exactly_critical(ground, chain)


@pytest.mark.parametrize(
    ("widths", "white"), [((3, 1, 3), True), ((2, 4, 3), False), ((3, 2), False)]
)
def test_random_starts_go_to_global_minima(widths, white):
    generator = np.random.default_rng(1)
    if white:
        data = Moments.whitened(generator.standard_normal((widths[-1], widths[0])))
    else:
        inputs = generator.standard_normal((30, widths[0]))
        data = Moments.from_data(inputs, generator.standard_normal((30, widths[-1])))
    problem = Problem(LinearNet(widths), data)
    found = basins(problem, runs=40, std=0.7, iterations=50_000)
    assert set(verdicts(found)) == {"global minimum"}
    assert np.all(found.columns.excess <= found.settings["accuracy"])
    assert found.settings["accuracy"] < lowest_saddle(problem)
    path = found.follow(7, accuracy=found.settings["accuracy"])
    assert path.outcome.iteration == found.columns.iterations[7]


@pytest.mark.parametrize(
    ("problem", "value"),
    [
        (target(3.0, 2.0, 1.0), 0.5),
        (target(3.0, 2.0, 1.0, width=1), 2.5),
        (target(2.0, 2.0, width=1, depth=2), 2.0),
        (target(3.0, 2.0, 0.0), 2.0),
        (target(3.0, 2.0, depth=1), float("inf")),
        (target(0.0, 0.0), float("inf")),
        (Playground(3), 0.5),
    ],
)
def test_the_lowest_saddle(problem, value):
    assert lowest_saddle(problem) == value


def test_small_deep_starts_are_undecided_on_a_plateau():
    found = basins(target(2.0, 1.0, depth=5), runs=300, std=0.03, iterations=400)
    assert [str(limit) for limit in found.limits] == ["undecided: out of iterations"]
    assert found.times is None
    assert np.all(found.columns.near[found.columns.excess > 2.4] == 400)


def test_leaps_decide_a_long_plateau():
    problem = target(1.0, depth=3)
    found = basins(problem, runs=6, std=0.02, iterations=100, beyond=10**7)
    before = basins(problem, runs=6, std=0.02, iterations=100)
    truth = basins(problem, runs=6, std=0.02, iterations=10**7)
    assert set(verdicts(before)) == {"undecided"}
    assert set(verdicts(truth)) >= {"global minimum"}
    assert verdicts(found) == verdicts(truth)
    assert found.columns.iterations.tolist() == truth.columns.iterations.tolist()


def test_what_is_no_limit_is_undecided_with_its_reason():
    toy = Playground(2)
    tiny = basins(toy, [[0.5, 0.5]], step_size=1e-300)
    assert str(tiny.limit_of(0)) == "undecided: at rest, but at no critical value"
    shaky = basins(toy, [[1.0, 1.0]], step_size=1.5)
    assert "makes unstable" in str(shaky.limit_of(0))
    steady = basins(toy, [[1.0, 1.0]], step_size=0.99)
    assert str(steady.limit_of(0)) == "global minimum"
    away = basins(toy, [[3.0, 3.0]], step_size=10.0)
    assert str(away.limit_of(0)) == "diverged"


def test_an_arrival_that_would_not_stay_is_undecided():
    # The loss falls at every step, the last of which lands near a minimum with
    # sharpness 37 / step: it would rise next.
    start = np.array([1000.0, *(0.00020414090707072597,) * 3])
    found = basins(Playground(4), [start])
    x, step = start, float(found.columns.step_size[0])
    losses = [0.5]
    for _ in range(int(found.columns.iterations[0])):
        x = x - step * (np.prod(x) - 1) * np.prod(x) / x
        losses.append((np.prod(x) - 1) ** 2 / 2)
    assert np.all(np.diff(losses) <= 0)
    assert losses[-1] < found.settings["accuracy"]
    assert step * np.sum((np.prod(x) / x) ** 2) > 37
    x = x - step * (np.prod(x) - 1) * np.prod(x) / x
    assert (np.prod(x) - 1) ** 2 / 2 > losses[-1]
    assert "makes unstable" in str(found.limit_of(0))


def test_huge_starts_rest_by_rounding_and_are_undecided():
    found = basins(target(2.0, 1.0, depth=3), runs=3, std=1e30, iterations=50)
    assert str(found.limit_of(0)) == "undecided: at rest, but at no critical value"


def test_a_run_that_arrived_is_followed_to_its_arrival():
    found = basins(target(2.0, 1.0, depth=2), runs=3, std=0.5)
    path = found.follow(1)
    assert path.outcome.converged
    assert path.outcome.iteration == found.columns.iterations[1]


def test_the_same_arguments_give_the_same_bits():
    problem = target(2.0, 1.0)
    one = basins(problem, runs=1500, std=0.8, seed=4)
    same(one, basins(problem, runs=1500, std=0.8, seed=4))
    more = basins(problem, runs=5000, std=0.8, seed=4)
    for name in ("iterations", "near", "excess", "step_size", "halvings"):
        first = getattr(more.columns, name)[:1500]
        assert first.tobytes() == getattr(one.columns, name).tobytes()
    other = basins(problem, runs=1500, std=0.8, seed=5)
    assert other.columns.excess.tobytes() != one.columns.excess.tobytes()


def test_an_interruption_keeps_whole_chunks_and_is_resumed(tmp_path):
    problem = target(2.0, 1.0, depth=2)
    told = []

    def stop(progress):
        told.append(progress)
        if progress.done:
            raise KeyboardInterrupt

    kept = basins(problem, runs=4000, std=0.5, out=tmp_path / "a", on_progress=stop)
    assert kept.interrupted
    assert 0 < kept.runs < 4000
    assert kept.runs % kept.settings["chunk"] in (0, 4000 % kept.settings["chunk"])
    assert "interrupted" in kept.lines()[-1]
    assert told[-1].total == 4000
    whole = basins(problem, runs=4000, std=0.5)
    again = basins(problem, runs=4000, std=0.5, resume=tmp_path / "a")
    same(whole, again)
    same(whole, Basins.load(tmp_path / "a"))
    assert not (tmp_path / "a" / "parts").exists()


class StopAfter(threading.Event):
    """An event that is set after so many looks."""

    def __init__(self, looks):
        super().__init__()
        self.looks, self.left = looks, looks

    def is_set(self):
        self.left -= 1
        return self.left < 0


def test_a_chunk_stopped_on_a_leap_is_not_kept():
    problem = target(2.0, 1.0)
    starts = starts_of(problem, "gaussian", seed=0, std=0.3)
    asked = {"runs": 4, "method": "descent", "step_size": None, "iterations": 5}
    more = {"accuracy": None, "beyond": 1000, "confidence": 0.95}
    task = Task.of(Ground.of(problem), starts, **asked, **more)
    patient = StopAfter(1000)
    assert task.follow((0, 4), patient) is not None
    looks = 1000 - patient.left
    assert looks > 1
    for fewer in range(looks):
        assert task.follow((0, 4), StopAfter(fewer)) is None


def test_a_new_result_never_stands_beside_the_chunks_of_another(tmp_path, monkeypatch):
    problem, place = target(2.0, 1.0, depth=2), tmp_path / "a"

    def stop(progress):
        if progress.done:
            raise KeyboardInterrupt

    kept = basins(problem, runs=4000, std=0.5, out=place, on_progress=stop)

    def fail(_folder):
        raise OSError("killed")

    monkeypatch.setattr(carrying, "forget_parts", fail)
    with pytest.raises(OSError, match="killed"):
        basins(problem, runs=4000, std=0.9, out=place)
    left = Basins.load(place)
    assert left.runs >= kept.runs
    assert left.settings == kept.settings


def test_a_finished_result_is_extended(tmp_path):
    problem = target(2.0, 1.0, depth=2)
    basins(problem, runs=2048, std=0.5, out=tmp_path / "a")
    seen = []
    longer = basins(
        problem, runs=3000, std=0.5, resume=tmp_path / "a", on_progress=seen.append
    )
    same(longer, basins(problem, runs=3000, std=0.5))
    with pytest.raises(DomainError, match="other arguments: starts; pass the same"):
        basins(problem, runs=3000, std=0.6, resume=tmp_path / "a")
    with pytest.raises(DomainError, match="runs \\(it must not be less\\)"):
        basins(problem, runs=100, std=0.5, resume=tmp_path / "a")


KILLED = """
import sys
import numpy as np
from thalweg import LinearNet, Moments, Problem
from thalweg.landscape.basins import basins
problem = Problem(LinearNet((2, 2, 2)), Moments.whitened(np.diag([2.0, 1.0])))
basins(problem, runs=60_000, std=1.0, accuracy=1e-9, out=sys.argv[1])
"""


def test_a_kill_leaves_a_folder_to_go_on_in(tmp_path):
    folder = tmp_path / "killed"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(folder)]) as process:
        until = time.monotonic() + 60
        while not list(folder.glob("parts/*/card.json")) and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    half_written = folder / "parts" / "000000049152"
    half_written.mkdir(parents=True, exist_ok=True)
    (half_written / "card.json").unlink(missing_ok=True)
    (half_written / ".card.json.part").write_bytes(b"{")
    left = Basins.load(folder)
    assert 0 < left.runs < 60_000
    problem = target(2.0, 1.0, depth=2)
    again = basins(problem, runs=60_000, std=1.0, accuracy=1e-9, resume=folder)
    same(again, basins(problem, runs=60_000, std=1.0, accuracy=1e-9))


def test_a_saved_result_is_read_back(tmp_path):
    problem = target(2.0, -1.0, depth=2)
    found = basins(problem, tuple(np.eye(2)[None] for _ in range(2)))
    found.save(tmp_path / "a")
    back = Basins.load(tmp_path / "a")
    same(found, back)
    assert back.to_json() == found.to_json()
    json.dumps(back.to_json(), allow_nan=False)
    assert np.asarray(back.saddle(0)[0]).tolist() == (
        np.asarray(found.saddle(0)[0]).tolist()
    )
    with pytest.raises(DomainError, match="the starts were given and are not kept"):
        back.start(0)
    drawn = basins(problem, runs=20, std=0.5)
    drawn.save(tmp_path / "b")
    again = Basins.load(tmp_path / "b").start(13)
    for one, other in zip(again, drawn.start(13), strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
    with pytest.raises(StoreError, match="is not a folder"):
        Basins.load(tmp_path / "c")


def test_the_table_counts_what_the_runs_say():
    problem = target(2.0, -1.0, depth=2)
    generator = np.random.default_rng(0)
    starts = [generator.standard_normal((50, 2, 2)) for _ in range(2)]
    for layer in starts:
        layer[:10] = np.eye(2)
    found = basins(problem, tuple(starts))
    told = {str(row.limit): row.share.successes for row in found.table}
    assert told == {"global minimum": 40, "saddle, modes learnt: 1": 10}
    assert found.share("saddle").successes == 10
    assert found.share("diverged").at_most == pytest.approx(1 - 0.05 ** (1 / 50))
    assert found.saddle_runs.tolist() == list(range(10))
    row = found.table[1]
    assert row.by_symmetry + row.by_zeros + row.exactly == 10
    assert row.to_json()["by_symmetry"] == row.by_symmetry
    assert "held_by_rounding" not in row.to_json()
    assert any("by symmetry of the start" in line for line in found.lines())
    times = found.times
    taken = found.columns.iterations[10:]
    assert times.runs == 40
    assert times.counts.sum() == 40
    assert times.quantiles[0.5] in taken
    assert times.quantiles[1.0] == taken.max()


def test_a_result_takes_28_bytes_a_run():
    found = basins(Playground(2), runs=300, std=0.5)
    columns = [getattr(found.columns, name) for name in Columns.names()]
    assert sum(column.nbytes for column in columns) == 28 * 300


@pytest.mark.parametrize("parameters", [4, 12, 300, 10**4])
@pytest.mark.parametrize("runs", [10, 10**5, 10**9])
def test_a_chunk_fills_little_memory(runs, parameters):
    chunk = _chunk(runs, parameters)
    assert chunk == 256 or 8 * chunk * parameters <= 2**24
    assert chunk & (chunk - 1) == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"accuracy": 0.5}, "but a saddle has excess loss 0.5"),
        ({"accuracy": np.nextafter(0.5, 0)}, "but a saddle has excess loss 0.5"),
        ({"accuracy": 0.0}, "accuracy is 0.0; it must be positive"),
        ({"method": "leap"}, "method is 'leap'; it must be descent or flow"),
        ({"iterations": 0}, "iterations is 0; it must be a whole number >= 1"),
        ({"beyond": 10}, "beyond is 10; it must be a whole number >= 100000"),
        ({"step_size": -1.0}, "step_size is -1.0; it must be positive"),
        ({"runs": 0}, "runs is 0; it must be a whole number >= 1"),
        ({"confidence": 1.5}, "confidence is 1.5; it must be above 0 and below 1"),
        ({"out": "a", "resume": "b"}, "out and resume both came"),
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(given, words):
    with pytest.raises(DomainError, match=words) as raised:
        basins(Playground(2), **given)
    assert is_a_sentence(raised.value)


def test_more_runs_than_starts_are_refused():
    with pytest.raises(DomainError, match="runs is 3, but 1 starts were given"):
        basins(Playground(2), [[0.5, 0.5]], runs=3)
