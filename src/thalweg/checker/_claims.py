"""Whether what a file claims follows from what the checker itself proved."""

from collections.abc import Iterator
from math import inf
from typing import Any

from flint import arb

from ._case import Case, Condition, Proof
from ._reading import Refused, only


def compare(case: Case, proof: Proof) -> Iterator[str]:
    """Yield a line for every claim that follows from the checker's own proof."""
    only(case.contents.fields, proof.fields, "fields")
    yield from _hypotheses(case, proof)
    if case.contents.promise["clock"] != proof.clock:
        raise Refused(f"promise.clock: the theorem's clock is '{proof.clock}'.")
    yield from _numbers(case, proof)
    yield from _promised(case, proof)
    yield from _values(case, proof)


def _hypotheses(case: Case, proof: Proof) -> Iterator[str]:
    told = case.contents.hypotheses
    names = [claim["name"] for claim in told]
    for i, claim in enumerate(told):
        where = f"hypotheses[{i}] '{claim['name']}'"
        if claim["name"] not in proof.conditions:
            raise Refused(f"{where}: this checker knows no such hypothesis.")
        if claim["name"] in names[:i]:
            raise Refused(f"{where}: it is there twice.")
        _hypothesis(where, claim, proof.conditions[claim["name"]])
        yield f"{where}: proved"
    for name in proof.conditions:
        if name not in names:
            raise Refused(f"hypotheses: '{name}' is missing.")


def _hypothesis(where: str, claim: dict[str, Any], own: Condition) -> None:
    if not own.proved:
        raise Refused(f"{where}: the checker cannot prove it.")
    if claim["strict"] is not own.strict:
        raise Refused(f"{where}: whether it is strict is told wrong.")
    if isinstance(own.slack, bool):
        if claim["slack"] is not None:
            raise Refused(f"{where}: it is a fact and has no slack.")
        return
    if claim["slack"] is None:
        raise Refused(f"{where}: its slack is missing.")
    low, high = claim["slack"]
    if low < 0 or (own.strict and low == 0):
        raise Refused(f"{where}: the claimed slack does not prove it.")
    _overlaps(where, low, high, own.slack if own.shown is None else own.shown)


def _overlaps(where: str, low: float, high: float, own: arb) -> None:
    if not own.is_finite() or own > high or own < low:
        raise Refused(f"{where}: the claimed interval misses the number.")


def _numbers(case: Case, proof: Proof) -> Iterator[str]:
    """Check the factor, the rate, the floor and the probability."""
    rate = proof.rate
    if rate is None and proof.factor is not None:
        rate = arb(inf) if proof.factor == 0 else -proof.factor.log()
    for name, own, above in (
        ("factor", proof.factor, True),
        ("rate", rate, False),
        ("floor", proof.floor, False),
        ("probability", proof.probability, False),
    ):
        claim = case.contents.promise[name]
        if claim is None:
            continue
        if own is None:
            raise Refused(f"promise.{name}: the theorem promises none.")
        if not (own <= claim if above else own >= claim):
            raise Refused(f"promise.{name}: {claim!r} does not follow.")
        yield f"promise.{name}: {claim!r} follows"
    if proof.probability is not None and case.contents.promise["probability"] is None:
        raise Refused("promise.probability: the promise is not certain.")
    if proof.probability is not None and case.contents.start is not None:
        raise Refused("start: this theorem draws its own.")


def _promised(case: Case, proof: Proof) -> Iterator[str]:
    claim = case.contents.promise["promised"]
    if claim is None or claim == inf:
        return
    if claim < 0 or (proof.clock == "iteration" and claim != int(claim)):
        raise Refused("promise.promised: it is no count.")
    if not _is_enough(case, proof, claim):
        raise Refused(f"promise.promised: {claim!r} does not follow.")
    yield f"promise.promised: {claim!r} to {case.contents.accuracy!r} follows"


def _is_enough(case: Case, proof: Proof, claim: float) -> bool:
    goal = arb(case.contents.accuracy)
    if case.contents.start is not None and case.loss <= goal:
        return True
    if proof.reaches is not None:
        return proof.reaches(int(claim), goal)
    if proof.count is not None:
        return bool(proof.count(goal) <= claim)
    decay = proof.rate
    if decay is None and proof.factor is not None:
        decay = -proof.factor.log()
    return decay is not None and bool((case.loss / goal).log() / decay <= claim)


def _values(case: Case, proof: Proof) -> Iterator[str]:
    for name, (low, high) in case.contents.promise["values"].items():
        where = f"promise.values['{name}']"
        if name in proof.values:
            _overlaps(where, low, high, proof.values[name])
        elif name in proof.bounds or name in proof.tops:
            below = name in proof.bounds and proof.bounds[name] >= high
            if not below and not (name in proof.tops and proof.tops[name] <= high):
                raise Refused(f"{where}: it does not follow.")
        else:
            raise Refused(f"{where}: this checker knows no such number.")
        yield f"{where}: agrees"
