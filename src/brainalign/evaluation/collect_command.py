"""Join the scores of all experiments into one store and one CSV table."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign collect``."""
    parser.add_argument("--scores", type=Path, required=True, nargs="+", help="score stores")
    parser.add_argument("--output", type=Path, required=True, help="store of all scores")
    parser.add_argument("--table", type=Path, required=True, help="CSV table of all scores")


def run(arguments: argparse.Namespace) -> None:
    """Publish the joint store and then the table."""
    import pandas as pd

    from brainalign.evaluation.table import COLUMNS, compose_score_tree, read_score_table
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.publish import publish_file
    from brainalign.stores.read import read_store
    from brainalign.stores.write import write_store

    paths = sorted(arguments.scores)
    recorder = ProvenanceRecorder("scores", {}, {str(path): path for path in paths})
    trees = [read_store(path, "scores") for path in paths]
    scores = pd.concat([read_score_table(tree) for tree in trees], ignore_index=True)
    names = sorted({str(name) for tree in trees for name in tree.children} - {"table"})
    details = {
        name: pd.concat(
            [read_score_table(tree, name) for tree in trees if name in tree.children],
            ignore_index=True,
        )
        for name in names
    }
    write_store(arguments.output, compose_score_tree(scores, details), "scores", recorder.finish())
    with publish_file(arguments.table) as draft:
        scores[list(COLUMNS)].to_csv(draft, index=False, float_format="%.6g")
