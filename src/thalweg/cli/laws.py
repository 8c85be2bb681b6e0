"""`thalweg laws`: how many quantities the flow conserves, whatever the data."""

from typing import Annotated, Literal

from cyclopts import Parameter

from thalweg.cli import telling


def laws(
    widths: str,
    /,
    *,
    activation: Literal["linear", "relu"] = "linear",
    bias: Annotated[bool, Parameter(negative=())] = False,
    momentum: Annotated[bool, Parameter(negative=())] = False,
    prove: bool = True,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Count the independent quantities that gradient flow conserves for all data.

    Args:
        widths: Of the net, as in 5-4-4-5.
        activation: Of the hidden layer; relu for two layers.
        bias: Give every layer a bias.
        momentum: Of the heavy-ball flow instead.
        prove: Exhibit as many laws, so that nothing is left to chance.
        json: Print one JSON object and nothing else.

    Returns:
        The exit code: 0.
    """
    from thalweg.landscape.laws import count_laws

    found = count_laws(
        widths, activation=activation, bias=bias, momentum=momentum, prove=prove
    )
    if json:
        telling.say_json(found.to_json())
    else:
        from thalweg.report.landscape import laws_table

        telling.show(laws_table(found))
    return 0
