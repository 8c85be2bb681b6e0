"""How a run ended, in words, in JSON, and for a batch."""

import json
from dataclasses import replace

import pytest

from thalweg._core.errors import RunFailed
from thalweg._core.outcome import CODES, Outcome, Outcomes, Status

DONE = Outcome(Status.CONVERGED, 21, 1e-7, 1e-7, "converged at iteration 21.")


def test_codes_are_the_order_of_the_ways():
    assert [str(status) for status in CODES] == [
        "out of budget", "converged", "stalled", "diverged", "interrupted"
    ]  # fmt: skip


@pytest.mark.parametrize("status", CODES)
def test_exactly_one_way_is_claimed(status):
    outcome = replace(DONE, status=status)
    claims = {
        Status.CONVERGED: outcome.converged,
        Status.STALLED: outcome.stalled,
        Status.DIVERGED: outcome.diverged,
    }
    assert [claimed for claimed, holds in claims.items() if holds] == [
        claimed for claimed in claims if claimed is status
    ]


@pytest.mark.parametrize("status", [Status.DIVERGED, Status.INTERRUPTED])
def test_a_bad_end_raises_its_message(status):
    with pytest.raises(RunFailed, match="converged at iteration 21"):
        replace(DONE, status=status).raise_if_bad()


@pytest.mark.parametrize(
    "status", [Status.CONVERGED, Status.STALLED, Status.OUT_OF_BUDGET]
)
def test_other_ends_are_not_bad(status):
    replace(DONE, status=status).raise_if_bad()


def test_an_outcome_reads_as_its_message():
    assert str(DONE) == "converged at iteration 21."


@pytest.mark.parametrize("time", [None, 2.5])
def test_json_brings_an_outcome_back(time):
    outcome = replace(DONE, time=time)
    text = json.dumps(outcome.to_json(), allow_nan=False)
    assert Outcome.from_json(json.loads(text)) == outcome


def test_a_batch_is_a_sequence_of_outcomes():
    batch = Outcomes((DONE, replace(DONE, status=Status.STALLED), DONE))
    assert len(batch) == 3
    assert batch[1].stalled
    assert batch[-1] is DONE
    assert list(batch[1:]) == [batch[1], batch[2]]
    assert batch.counts() == {"converged": 2, "stalled": 1}
    assert str(batch) == "3 runs: 2 converged, 1 stalled"
