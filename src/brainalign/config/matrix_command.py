"""Print which method can run on which data set of a configuration, and why others cannot.

Files are merged as for `brainalign validate`: config.yaml of the working folder first.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from brainalign.config.validate_command import add_arguments as add_arguments
from brainalign.config.validate_command import list_config_files

if TYPE_CHECKING:
    import pandas as pd

_MARKS = {"planned": "runs", "possible": "can", "impossible": "cannot"}


def run(arguments: argparse.Namespace) -> None:
    """Print the table, and below it each reason once."""
    from brainalign.config.load import load_config
    from brainalign.config.matrix import compose_matrix

    config = load_config(list_config_files(getattr(arguments, "config", [])))
    matrix = compose_matrix(config)
    if not len(matrix):
        print("no data set or no method is defined")
        return
    print(write_matrix(matrix))


def write_matrix(matrix: pd.DataFrame) -> str:
    """Write the matrix as text: methods in rows, data sets in columns, reasons below.

    Parameters
    ----------
    matrix : pandas.DataFrame
        From :func:`brainalign.config.matrix.compose_matrix`.
    """
    methods = list(dict.fromkeys(matrix["method"]))
    datasets = list(dict.fromkeys(matrix["dataset"]))
    entry = {
        (str(method), str(dataset)): (_MARKS[str(state)], str(reason))
        for dataset, method, state, reason in matrix.itertuples(index=False)
    }
    reasons = list(
        dict.fromkeys(
            reason for mark, reason in entry.values() if reason and mark != _MARKS["planned"]
        )
    )
    lines = [["method", *datasets]]
    for method in methods:
        line = [method]
        for dataset in datasets:
            mark, reason = entry[method, dataset]
            note = f" ({reasons.index(reason) + 1})" if reason in reasons else ""
            line.append(mark + note)
        lines.append(line)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    text += ["", "runs: planned by an experiment; can: possible; cannot: see the reason"]
    text += [f"({number}) {reason}" for number, reason in enumerate(reasons, 1)]
    return "\n".join(text)
