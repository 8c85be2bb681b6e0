"""What would mend a theorem: every mend is proved, and told in words."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.theorems._base import Verdict

TOY = tw.Playground(2)
NET = tw.LinearNet((2, 2, 2))
WHITE = tw.Problem(NET, tw.Moments.whitened(jnp.diag(jnp.array([2.0, 1.0]))))
NEAR = (jnp.diag(jnp.array([1.3, 0.95])),) * 2


def test_a_step_too_large_is_mended_by_the_step_alone():
    found = tw.certify("flammarion2025.Convergence", TOY, [0.5, 0.5], step_size=1.0)
    (mend,) = tw.mends(found)
    assert mend.step_size == found.safe_step
    assert mend.certificate.verdict is Verdict.PROVED
    assert mend.certificate.promised == 596
    assert "0.166667" in mend.line()


def test_an_unbalanced_start_is_mended_by_balancing_it():
    start = (NEAR[0] * 2, NEAR[1] / 2)
    found = tw.certify("arora2019.Convergence", WHITE, start, step_size=1e-2)
    mends = tw.mends(found)
    assert mends[0].words.startswith("balance the start")
    before, after = map(tw.end_to_end, (start, mends[0].start))
    assert np.allclose(before, after, rtol=0, atol=1e-14)
    assert all(mend.certificate.verdict is Verdict.PROVED for mend in mends)


def test_a_start_too_large_is_mended_by_rescaling_it():
    found = tw.certify("flammarion2025.Convergence", TOY, [1.5, 1.0], step_size=0.1)
    words = [mend.words for mend in tw.mends(found)]
    assert any("multiply every layer by" in text for text in words)
    for mend in tw.mends(found):
        again = tw.certify(
            "flammarion2025.Convergence", TOY, mend.start, step_size=mend.step_size
        )
        assert again.verdict is Verdict.PROVED


def test_what_is_proved_or_about_something_else_needs_no_mend():
    proved = tw.certify("flammarion2025.Convergence", TOY, [0.5, 0.5])
    other = tw.certify("flammarion2025.Convergence", WHITE, NEAR)
    assert tw.mends(proved) == []
    assert tw.mends(other) == []


@pytest.mark.parametrize("step", [1e-7, 0.1, 5.0])
def test_an_explanation_sorts_every_certificate_once(step):
    found = tw.certify_all(WHITE, NEAR, step_size=step)
    told = tw.explain(found)
    names = [one.theorem for one in told.proved]
    names += [one.theorem for one, _ in told.nearly]
    names += [one.theorem for one in told.apart]
    assert sorted(names) == sorted(one.theorem for one in found)
    record = json.loads(json.dumps(told.to_json(), allow_nan=False))
    assert record["proved"] == [one.theorem for one in told.proved]
    assert all("\n" not in line for line in told.lines())


def test_an_explanation_names_the_slack_and_the_mend():
    found = tw.certify("flammarion2025.Convergence", TOY, [0.5, 0.5], step_size=0.5)
    text = "\n".join(tw.explain([found]).lines())
    assert "fails by 0.333333" in text
    assert "take the step 0.166667" in text


def test_a_step_exactly_at_the_bound_is_undecided_and_names_the_safe_step():
    toy = tw.Playground(3)
    found = tw.certify(
        "flammarion2025.Convergence", toy, [0.75, 0.75, 1.0], step_size=1 / 16
    )
    assert found.verdict is Verdict.UNDECIDED
    assert any("safe_step" in line for line in found.lines())
    assert found.safe_step < 1 / 16


@pytest.mark.parametrize("size", [1e200, 1e308])
def test_a_start_out_of_range_of_floats_is_not_mended_into_one(size):
    found = tw.certify("flammarion2025.Convergence", TOY, [size, size])
    assert all(mend.certificate.verdict is Verdict.PROVED for mend in tw.mends(found))
