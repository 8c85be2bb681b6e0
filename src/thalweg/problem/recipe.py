"""What is asked of the data before they become moments, and what was done."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from thalweg._core.errors import DomainError, unknown

Rescaling = Literal["raw", "standard", "unit"]
Scale = Literal["mean", "sum"]


@dataclass(frozen=True)
class Recipe:
    """How samples are prepared.

    Attributes:
        center: Subtract the means of inputs and labels (`True`), of the inputs
            only (`"inputs"`), or nothing.
        whiten: Change to coordinates in which the inputs' second moment is the
            identity.
        labels: Leave them (`raw`), give each unit variance (`standard`), or divide
            all by one number so that the target has Frobenius norm one (`unit`).
        scale: Divide the second moments by the number of samples (`mean`) or not.
        bias: Append a constant coordinate to the inputs. The labels then keep their
            means even if `center` is `True`: the bias learns them.
    """

    center: bool | str = False
    whiten: bool = False
    labels: str = "raw"
    scale: str = "mean"
    bias: bool = False

    def checked(self) -> "Recipe":
        """Return the recipe if it makes sense.

        Returns:
            The recipe itself.

        Raises:
            DomainError: If `center` is something else, or a whitened bias is asked
                for without centring.
            UnknownName: If `labels` or `scale` is not one of its words.
        """
        if not isinstance(self.center, bool) and self.center != "inputs":
            raise DomainError(
                f"center is {self.center!r}; it must be True, False or 'inputs'."
            )
        _check_word(self.labels, get_args(Rescaling), "the list of label scalings")
        _check_word(self.scale, get_args(Scale), "the list of scales")
        if self.bias and self.whiten and not self.centers_inputs:
            raise DomainError(
                "bias came with whiten but without center: a constant coordinate is "
                "white only beside centred inputs; pass center=True."
            )
        return self

    @property
    def centers_inputs(self) -> bool:
        """Return whether the means of the inputs are subtracted."""
        return self.center is not False

    @property
    def centers_labels(self) -> bool:
        """Return whether the means of the labels are subtracted."""
        return self.center is True and not self.bias


_WHITENED = {
    "samples": "the singular value decomposition of the standardised inputs",
    "stream": "the eigenvectors of the correlations of the inputs",
    "triangle": "the singular value decomposition of a triangular factor of the inputs",
}
"""How whitening was done, by the origin of the moments."""


@dataclass(frozen=True)
class Preparation:
    """What was done to the data, for people and for the record.

    Singular values are those of the standardised inputs, relative to the largest.

    Attributes:
        origin: Where the moments come from: `samples`; `stream`, read once and
            summed; `triangle`, read once into a triangular factor; `moments`;
            `target`.
        recipe: What was asked for.
        features: Number of input features that came.
        rank: Number of independent directions kept, the bias included.
        constant: Positions of features without any variation; they are dropped.
        duplicates: Groups of positions of features that are equal in every sample.
        input_means: Means subtracted from the inputs; empty if not centred.
        label_means: Means subtracted from the labels; empty if not centred.
        label_scales: Numbers the labels were divided by.
        smallest_kept: Smallest singular value kept.
        largest_neglected: Largest singular value counted as zero; `None` if none.
        feature_names: Names of the features, if known.
        label_names: Names of the labels, if known.
        note: Where the data come from, or what else is worth knowing.
    """

    origin: str = "target"
    recipe: Recipe = Recipe()
    features: int = 0
    rank: int = 0
    constant: tuple[int, ...] = ()
    duplicates: tuple[tuple[int, ...], ...] = ()
    input_means: tuple[float, ...] = ()
    label_means: tuple[float, ...] = ()
    label_scales: tuple[float, ...] = ()
    smallest_kept: float | None = None
    largest_neglected: float | None = None
    feature_names: tuple[str, ...] | None = None
    label_names: tuple[str, ...] | None = None
    note: str = ""

    def noted(
        self,
        feature_names: tuple[str, ...] | None,
        label_names: tuple[str, ...] | None,
        note: str,
    ) -> "Preparation":
        """Return the same record with names and a note."""
        return replace(
            self, feature_names=feature_names, label_names=label_names, note=note
        )

    def feature(self, position: int) -> str:
        """Return the name of a feature, or its position if it has none."""
        return self.feature_names[position] if self.feature_names else str(position)

    def lines(self) -> list[str]:
        """Return the record as sentences, one a line."""
        told = dict.fromkeys(_WHITENED, self._told_of_samples)
        told["moments"] = self._told_of_moments
        body = told.get(self.origin, lambda: ["given as a target of white inputs"])()
        return [*body, *([self.note] if self.note else [])]

    def _told_of_moments(self) -> list[str]:
        return [
            f"given as second moments of {self.features} features",
            f"rank {self.rank}{self._told_of_values()}",
        ]

    def _told_of_samples(self) -> list[str]:
        rank = f"rank {self.rank}" + (" with the bias" if self.recipe.bias else "")
        lines = [f"{self.features} features, {rank}{self._told_of_values()}"]
        if self.constant:
            lines.append(f"constant, so dropped: {self._listed(self.constant)}")
        lines += [f"equal features: {self._listed(group)}" for group in self.duplicates]
        recipe = self.recipe
        centred = [
            word
            for word, done in (
                ("inputs", recipe.centers_inputs),
                ("labels", recipe.centers_labels),
            )
            if done
        ]
        lines.append(f"centred: {' and '.join(centred) or 'nothing'}")
        if recipe.whiten:
            way = _WHITENED[self.origin]
            lines.append(f"whitened by {way}: {self.rank} coordinates")
        if self.origin == "stream":
            lines.append(
                "singular values below 1e-06 of the largest are not told from rounding "
                "in second moments"
            )
        if recipe.bias:
            lines.append("a constant coordinate stands last, for the bias")
        if recipe.labels == "standard":
            lines.append("labels divided by their standard deviations")
        if recipe.labels == "unit":
            lines.append(f"labels divided by {self.label_scales[0]:.10g}")
        return lines

    def _told_of_values(self) -> str:
        if self.smallest_kept is None:
            return ""
        kept = f"; smallest singular value kept {self.smallest_kept:.3g}"
        if self.largest_neglected is None:
            return kept
        return f"{kept}, largest neglected {self.largest_neglected:.3g}"

    def _listed(self, positions: tuple[int, ...], most: int = 12) -> str:
        names = [self.feature(position) for position in positions]
        rest = len(names) - most
        return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _check_word(word: str, words: tuple[str, ...], what: str) -> None:
    if word not in words:
        raise unknown(word, words, what)
