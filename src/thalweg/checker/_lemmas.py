"""The lecture's lemmas on balanced factors, and the length of the path."""

from dataclasses import replace
from typing import Any

from flint import arb, arb_mat

from ._balls import max_of, min_of, product, root, square
from ._case import Case, Condition, Proof, at_most
from ._lecture import below
from ._matrices import Matrix, eigenvalues, norm

NORMS, SPECTRA = 256, 32
"""Depths up to which the files show the Hessian's norms."""


def balanced_iterates(case: Case) -> Proof:
    """Lemma 6.5: below the hyperbola a step keeps factors balanced."""
    spread, conditions = _at_most_on(case)
    return Proof(conditions, values={"c": spread})


def products_over_subsets(case: Case) -> Proof:
    """Lemma 6.6: products of all but a few are near powers of the product."""
    spread, conditions = _at_most_on(case)
    values = {"c": spread, "p": product(case.numbers)}
    return Proof({"x > 0": conditions["x > 0"]}, values=values)


def hessian_bound(case: Case) -> Proof:
    """Lemma 6.7: below the hyperbola the Hessian is bounded."""
    spread, conditions = _at_most_on(case)
    values = {"3 d c^2": 3 * case.depth * square(spread)}
    if case.depth <= NORMS:
        values["|H|_F"] = norm(_hessian(case.numbers))
    if case.depth <= SPECTRA:
        found = eigenvalues(_hessian(case.numbers))
        values["|H|_2"] = max_of([abs(found[0]), abs(found[-1])])
    return Proof(conditions, values=values)


def smoothness_along_the_step(case: Case) -> Proof:
    """Lemma 6.8: a small step from below never overshoots."""
    spread, _, conditions = below(case)
    bound = 3 * case.depth * square(spread)
    conditions["step <= 1/(3 d c^2)"] = at_most(case.step, 1 / bound)
    return Proof(conditions, values={"3 d c^2": bound})


def iterates_converge(case: Case) -> Proof:
    """Exercise 44: the path from below the hyperbola is short."""
    spread, start, conditions = below(case)
    bound = 3 * case.depth * square(spread)
    conditions["step <= 1/(3 d c^2)"] = at_most(case.step, 1 / bound)
    # |gradient| <= sqrt(2 L f), and every step leaves the factor q of f.
    q = 1 - case.step * case.depth * square(start / spread)
    summed = case.step * root(2 * bound * case.loss) / (1 - root(q))
    # No factor falls, and none ends above c, as the smallest is at most one.
    risen = case.depth * spread - sum(case.numbers, arb(0))
    values = {
        "length": min_of([summed, risen]),
        "length by summing gradients": summed,
        "length by monotone factors": risen,
    }
    return Proof(conditions, values=values)


def _at_most_on(case: Case) -> tuple[Any, dict[str, Condition]]:
    """Return the spread, and that the start is positive and not above the hyperbola."""
    spread, _, conditions = below(case)
    return spread, {
        "x > 0": conditions["x > 0"],
        "prod x <= 1": replace(conditions["prod x < 1"], strict=False),
    }


def _hessian(x: list[Any]) -> Matrix:
    """Return the Hessian at positive factors."""
    p, d = product(x), len(x)
    first = [p / a for a in x]
    found = arb_mat(d, d)
    for i, a in enumerate(first):
        found[i, i] = square(a)
        for j in range(i):
            found[i, j] = found[j, i] = 2 * a * first[j] - a / x[j]
    return Matrix(found)


LEMMAS = {
    "flammarion2025.BalancedIterates": balanced_iterates,
    "flammarion2025.HessianBound": hessian_bound,
    "flammarion2025.IteratesConverge": iterates_converge,
    "flammarion2025.ProductsOverSubsets": products_over_subsets,
    "flammarion2025.SmoothnessAlongTheStep": smoothness_along_the_step,
}
