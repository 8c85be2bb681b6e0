"""Shape checks that the two rigorous matrix classes share."""

from thalweg._core.errors import ShapeError

Shape = tuple[int, int]


def check_inner(left: Shape, right: Shape) -> None:
    """Raise unless matrices of these shapes can be multiplied.

    Args:
        left: Shape of the left factor.
        right: Shape of the right factor.

    Raises:
        ShapeError: If the inner sizes differ.
    """
    if left[1] != right[0]:
        raise ShapeError(
            f"a matrix of shape {left} cannot multiply one of shape {right}; "
            f"{left[1]} rows are needed on the right."
        )


def check_equal(left: Shape, right: Shape) -> None:
    """Raise unless matrices of these shapes can be added.

    Args:
        left: Shape of the first.
        right: Shape of the second.

    Raises:
        ShapeError: If they differ.
    """
    if left != right:
        raise ShapeError(
            f"matrices of shapes {left} and {right} cannot be added; "
            "their shapes must agree."
        )


def square(shape: Shape) -> int:
    """Return the number of rows of a square matrix.

    Args:
        shape: Its shape.

    Returns:
        The number of rows.

    Raises:
        ShapeError: If it is not square.
    """
    if shape[0] != shape[1]:
        raise ShapeError(f"the matrix has shape {shape}; it must be square.")
    return shape[0]
