"""Engines under stress: workers and drivers killed, sweeps given up, no scheduler."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from thalweg._core.errors import ConfigError, RunFailed
from thalweg.sweep import run as running
from thalweg.sweep.design import Design
from thalweg.sweep.engines import dask as dasks
from thalweg.sweep.engines.dask import Dask
from thalweg.sweep.engines.inprocess import Inprocess
from thalweg.sweep.run import run_sweep, status
from thalweg.sweep.turn import turn
from tolerances import is_a_sentence

distributed = pytest.importorskip("distributed")

BASE = {"playground": 2, "iterations": 2000, "accuracy": 1e-9, "init": "gaussian"}
OVER = {"seed": {"from": 0, "to": 31}, "step_size": [0.01, 0.1]}
MOST = 4

DRIVER = """
import thalweg.sweep.run as running
from thalweg.sweep.design import Design
from thalweg.sweep.engines.dask import Dask
running.MOST = {most}
design = Design.of({base!r}, {over!r})
running.run_sweep(design, out={out!r}, engine=Dask({address!r}))
"""


@pytest.fixture(scope="module")
def cluster():
    """A scheduler and two worker processes."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0",
        memory_limit="2GiB", silence_logs=50,
    ) as made:  # fmt: skip
        yield made


def same(found, expected):
    """Assert that two tables are equal to the last bit."""
    assert found.columns == expected.columns
    for name in found.columns:
        one, other = found.rows.column(name), expected.rows.column(name)
        assert one.type == other.type
        assert one.to_pylist() == other.to_pylist()


@pytest.fixture(scope="module")
def expected():
    return run_sweep(Design.of(BASE, OVER), engine=Inprocess())


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch):
    monkeypatch.setattr(running, "MOST", MOST)


def pids(cluster):
    with distributed.Client(cluster, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def test_a_worker_killed_in_mid_sweep_changes_nothing(cluster, expected):
    before, told = pids(cluster), []

    def kill(progress):
        told.append(progress)
        if len(told) == 2:
            os.kill(before[0], signal.SIGKILL)

    engine = Dask(cluster.scheduler_address)
    found = run_sweep(Design.of(BASE, OVER), engine=engine, on_progress=kill)
    assert len(told) == 64 // MOST
    assert found.whole
    same(found, expected)


def test_a_killed_driver_goes_on_where_it_was(cluster, expected, tmp_path):
    place = tmp_path / "sweep"
    text = DRIVER.format(
        most=MOST, base=BASE, over=OVER, out=str(place),
        address=cluster.scheduler_address,
    )  # fmt: skip
    driver = subprocess.Popen([sys.executable, "-c", text])
    deadline = time.monotonic() + 120
    while not list((place / "parts").glob("*.parquet")):
        assert time.monotonic() < deadline
        assert driver.poll() is None
        time.sleep(0.002)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    kept = status(place)["done"]
    assert kept >= MOST
    told = []
    engine = Dask(cluster.scheduler_address)
    found = run_sweep(
        Design.of(BASE, OVER), out=place, engine=engine, on_progress=told.append
    )
    assert told[0].cached == kept if told else kept == 64
    same(found, expected)


def late(number):
    """A task that ends only when it is told to, but the first."""
    if number == 0:
        return 0
    assert turn().stop.wait(60)
    return number


@pytest.mark.parametrize("kind", ["inprocess", "dask"])
def test_a_sweep_that_is_given_up_leaves_nothing_behind(kind, request):
    if kind == "dask":
        address = request.getfixturevalue("cluster").scheduler_address
        engine = Dask(address)
    else:
        engine = Inprocess(threads=2)
    begun = time.monotonic()
    results = engine.map(late, [0, 1, 2, 3, 4])
    assert next(results) == (0, 0)
    results.close()
    assert time.monotonic() - begun < 30
    if kind == "inprocess":
        pools = [t for t in threading.enumerate() if t.name.startswith("ThreadPool")]
        assert not pools
    else:
        with distributed.Client(address, set_as_default=False) as client:
            deadline = time.monotonic() + 30
            while any(client.processing().values()):
                assert time.monotonic() < deadline
                time.sleep(0.05)


def dies(number):
    """A task that kills its worker."""
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_task_that_kills_worker_after_worker_is_held_to_blame(monkeypatch):
    monkeypatch.setattr(dasks, "DEATHS", 1)
    with pytest.raises(RunFailed, match="died over one task") as caught:
        list(Dask(workers=1).map(dies, [1]))
    assert is_a_sentence(caught.value)


def test_a_scheduler_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(dasks, "PATIENCE", 1)
    with pytest.raises(ConfigError, match="no scheduler answers") as caught:
        list(Dask("tcp://127.0.0.1:9").map(late, [0]))
    assert is_a_sentence(caught.value)


@pytest.mark.parametrize("address", ["nonsense://1", "host", "host:x", "foo://h:1", ""])
def test_what_is_no_address_is_refused_at_once(address):
    with pytest.raises(ConfigError, match="write host and port") as caught:
        Dask(address)
    assert is_a_sentence(caught.value)


@pytest.mark.parametrize(
    "address", ["tcp://a.b:1", "10.0.0.1:8786", "tls://[::1]:8786"]
)
def test_addresses_of_all_spellings_are_taken(address):
    assert Dask(address).address == address


def test_a_missing_guest_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    told = r"pip install 'thalweg\[cluster\]'"
    with pytest.raises(ConfigError, match=told) as caught:
        list(Dask().map(late, [0]))
    assert is_a_sentence(caught.value)


@pytest.mark.parametrize(
    ("spelled", "size"),
    [("4GiB", 2**32), ("512 MiB", 2**29), ("1.5G", 3 * 2**29), ("1000", 1000)],
)
def test_memory_is_spelled_as_a_size(spelled, size):
    assert Dask(memory=spelled).ceiling() == size


def test_a_memory_that_is_no_size_is_refused():
    with pytest.raises(ConfigError, match="write a size, as 4GiB") as caught:
        Dask(memory="plenty")
    assert is_a_sentence(caught.value)
