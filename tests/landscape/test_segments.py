"""Rings of segments against all rings there are, and against matrices."""

from collections import Counter
from itertools import product

import numpy as np
import pytest

from thalweg.landscape._points.segments import Segments, generic, of_ranks, sparse


def all_rings(spaces, crossing):
    """Every way to fill the spaces with segments."""
    length = len(spaces)
    kinds = [(first, places) for first in range(length) for places in range(1, length)]

    def fill(place, left, counts):
        if place == len(kinds):
            if not any(left):
                ring = Segments(spaces, tuple(sorted(counts.items())))
                if ring.crossing == crossing:
                    yield ring
            return
        first, places = kinds[place]
        used = [(first + step) % length for step in range(places)]
        for count in range(min(left[space] for space in used) + 1):
            rest = [x - count * (s in used) for s, x in enumerate(left)]
            more = {**counts, kinds[place]: count} if count else counts
            yield from fill(place + 1, rest, more)

    yield from fill(0, list(spaces), {})


def smallest_symmetries(spaces, crossing):
    found = {}
    for ring in all_rings(spaces, crossing):
        key = (ring.inner_rank, ring.is_tightened)
        found[key] = min(found.get(key, 10**9), ring.symmetries)
    return found


SPACES = [
    (2, 1, 3),
    (2, 3, 2),
    (1, 2, 2, 1),
    (2, 2, 1, 2),
    (2, 3, 1, 1),
    (1, 1, 2, 1, 1),
]


@pytest.mark.parametrize("spaces", SPACES)
def test_the_generic_ring_has_the_largest_set_of_points(spaces):
    for crossing in range(min(spaces[0], spaces[-1]) + 1):
        check_generic(spaces, crossing)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_generic_rings_of_all_small_spaces(depth):
    for spaces in product(range(1, 3 if depth > 2 else 4), repeat=depth + 1):
        for crossing in range(min(spaces[0], spaces[-1]) + 1):
            check_generic(spaces, crossing)


def check_generic(spaces, crossing):
    for (inner, tight), least in smallest_symmetries(spaces, crossing).items():
        ring = generic(spaces, crossing, inner if len(spaces) > 3 else 0, tight)
        assert (ring.inner_rank, ring.is_tightened) == (inner, tight)
        assert ring.crossing == crossing
        assert ring.symmetries == least


@pytest.mark.parametrize("spaces", [(1, 2, 2, 1), (2, 1, 2, 1), (1, 2, 1, 1, 2)])
def test_the_families_are_those_of_all_rings(spaces):
    inner = range(min(spaces[1:-1]) + 1)
    assert set(smallest_symmetries(spaces, 0)) == {(k, True) for k in inner}
    expected = {(0, True), *((k, False) for k in inner)}
    assert set(smallest_symmetries(spaces, 1)) == expected


def commuting(ring):
    """Dimension of the maps that commute with a ring's matrices, by a null space."""
    length, chain = ring.length, ring.matrices()
    labels = np.zeros((ring.spaces[0], ring.spaces[-1]))
    labels[: ring.crossing, : ring.crossing] = np.eye(ring.crossing)
    factors = [labels, *chain]
    rows = []
    for space, size in enumerate(ring.spaces):
        for index in np.ndindex(size, size):
            unit = np.zeros((size, size))
            unit[index] = 1.0
            parts = [np.zeros_like(f) for f in factors]
            parts[space] = parts[space] + unit @ factors[space]
            after = (space + 1) % length
            parts[after] = parts[after] - factors[after] @ unit
            rows.append(np.concatenate([p.ravel() for p in parts]))
    matrix = np.array(rows)
    return len(matrix) - np.linalg.matrix_rank(matrix)


@pytest.mark.parametrize("spaces", [(2, 2, 1), (1, 2, 2, 1), (2, 1, 2, 1)])
@pytest.mark.parametrize("crossing", [0, 1])
def test_symmetries_and_ranks_are_those_of_the_matrices(spaces, crossing):
    for ring in all_rings(spaces, crossing):
        assert commuting(ring) == ring.symmetries
        ranks = {}
        for first in range(ring.length):
            for places in range(2, ring.length):
                ranks[first, places] = ring.rank(first, places)
                if first + places <= ring.length:
                    part = np.eye(spaces[first])
                    for layer in ring.matrices()[first : first + places - 1]:
                        part = layer @ part
                    assert np.linalg.matrix_rank(part) == ring.rank(first, places)
        assert Counter(dict(of_ranks(spaces, ranks).counts)) == Counter(
            dict(ring.counts)
        )


def test_sparse_rings_have_one_ring_for_every_loose_pivot():
    assert len(sparse((2, 2, 2, 2), 2, 0, False)) == 2
    assert len(sparse((2, 2, 2, 2, 2), 2, 0, False)) == 5
    assert len(sparse((2, 2, 2, 2), 2, 1, False)) == 1
