"""Join the scores of all experiments into one store and one CSV table, and compare methods."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import add_option_arguments, read_job_options
from brainalign.config.job_options import describe_comparison, read_comparison_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign collect``."""
    parser.add_argument("--scores", type=Path, required=True, nargs="+", help="score stores")
    parser.add_argument("--output", type=Path, required=True, help="store of all scores")
    parser.add_argument("--table", type=Path, required=True, help="CSV table of all scores")
    parser.add_argument(
        "--comparisons", type=Path, required=True, help="CSV table of paired differences"
    )
    add_option_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the joint store and then the tables."""
    import pandas as pd

    from brainalign.evaluation.comparison.differences import compare_contests
    from brainalign.evaluation.comparison.unit_values import list_contests
    from brainalign.evaluation.table import COLUMNS, compose_score_tree, read_score_table
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.publish import publish_file
    from brainalign.stores.read import read_store
    from brainalign.stores.write import write_store

    options = read_job_options(arguments, describe_comparison)
    paths = sorted(arguments.scores)
    recorder = ProvenanceRecorder("scores", options, {str(path): path for path in paths})
    trees = [read_store(path, "scores") for path in paths]
    scores = pd.concat([read_score_table(tree) for tree in trees], ignore_index=True)
    stores = [
        {str(name): read_score_table(tree, str(name)) for name in tree.children if name != "table"}
        for tree in trees
    ]
    details = {
        name: pd.concat([store[name] for store in stores if name in store], ignore_index=True)
        for name in sorted({name for store in stores for name in store})
    }
    compared = compare_contests(list_contests(stores), read_comparison_options(options))
    if len(compared):
        details["paired_differences"] = compared
    write_store(arguments.output, compose_score_tree(scores, details), "scores", recorder.finish())
    with publish_file(arguments.table) as draft:
        scores[list(COLUMNS)].to_csv(draft, index=False, float_format="%.6g")
    with publish_file(arguments.comparisons) as draft:
        compared.to_csv(draft, index=False, float_format="%.6g")
