"""Score the predictions of one method: chance, ceiling and interval beside every value."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import add_job_arguments, read_job_options
from brainalign.config.job_options import describe_scores, read_evaluation_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign score``."""
    parser.add_argument("--predictions", type=Path, required=True, help="prediction store")
    add_job_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the score store of one experiment."""
    from brainalign.evaluation.registry import score_all
    from brainalign.evaluation.table import compose_score_tree
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.read import read_store
    from brainalign.stores.write import write_store

    options = read_job_options(arguments, describe_scores)
    evaluation = read_evaluation_options(options)
    recorder = ProvenanceRecorder("scores", options, {"predictions": arguments.predictions})
    predictions = read_store(arguments.predictions, "predictions")
    names = {
        name: str(predictions.attrs[name]) for name in ("dataset", "method", "backbone", "feature")
    }
    scores, details = score_all(predictions, evaluation)
    tree = compose_score_tree(
        scores.assign(**names), {name: table.assign(**names) for name, table in details.items()}
    )
    tree.attrs.update(names)
    write_store(arguments.output, tree, "scores", recorder.finish())
