"""Measure every layer of a backbone against the responses of all subjects, without any method."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import add_job_arguments, read_job_options
from brainalign.config.job_options import describe_yardsticks, read_yardstick_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign yardsticks``."""
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--backbone", required=True, help="name of the backbone")
    parser.add_argument("--stimuli", type=Path, required=True, help="stimulus store")
    parser.add_argument(
        "--responses", type=Path, required=True, nargs="+", help="response stores, one per subject"
    )
    parser.add_argument("--features", type=Path, required=True, help="feature store")
    add_job_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the score store of the yardsticks."""
    from brainalign.evaluation.table import compose_score_tree
    from brainalign.evaluation.yardsticks.category_scores import collect_categories
    from brainalign.evaluation.yardsticks.measure import measure_layers, open_layers
    from brainalign.evaluation.yardsticks.recordings import read_subject
    from brainalign.progress import show_progress
    from brainalign.stimuli.read import read_splits
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.read import open_store, read_labels
    from brainalign.stores.write import write_store

    options = read_job_options(arguments, describe_yardsticks, arguments.dataset)
    responses = {f"responses/{path.stem}": path for path in arguments.responses}
    inputs = {"stimuli": arguments.stimuli, "features": arguments.features, **responses}
    recorder = ProvenanceRecorder("scores", options, inputs)
    splits = read_splits(arguments.stimuli)
    subjects = [
        read_subject(path, splits, options["normalisation"])
        for path in show_progress(sorted(arguments.responses), "reading subjects")
    ]
    stimuli = open_store(arguments.stimuli, "stimuli")
    categories = None
    if "category" in stimuli.variables:
        names = read_labels(stimuli, "stimulus").tolist()
        shown = read_labels(stimuli, "category").tolist()
        categories = collect_categories(dict(zip(names, shown, strict=True)))
    scores, details = measure_layers(
        subjects, open_layers(arguments.features), read_yardstick_options(options), categories
    )
    identity = {"dataset": arguments.dataset, "backbone": arguments.backbone, "method": "yardstick"}
    tree = compose_score_tree(
        scores.assign(**identity),
        {name: table.assign(**identity) for name, table in details.items()},
    )
    tree.attrs.update(identity)
    write_store(arguments.output, tree, "scores", recorder.finish())
