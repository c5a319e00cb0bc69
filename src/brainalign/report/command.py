"""Draw the figures and write the page."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign report``."""
    parser.add_argument(
        "--results",
        type=Path,
        required=True,
        help="results folder, in which raw data and single scores are looked for",
    )
    parser.add_argument(
        "--inputs",
        type=Path,
        required=True,
        nargs="+",
        metavar="PATH",
        help="published stores and folders that the page shows",
    )
    parser.add_argument(
        "--matrix",
        metavar="JSON",
        default="{}",
        help="which methods can run on which data sets: {data set: {method: [state, reason]}}",
    )
    parser.add_argument("--threads", type=int, default=1, help="processes that draw figures")
    parser.add_argument("--output", type=Path, required=True, help="folder of the page")


def run(arguments: argparse.Namespace) -> None:
    """Publish the page and a copy of each figure."""
    from brainalign.report.artifacts import read_run
    from brainalign.report.page import compose_page
    from brainalign.report.sections.matrix import read_matrix
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.publish import publish_folder

    matrix = read_matrix(arguments.matrix)
    options = {"matrix": json.loads(arguments.matrix)}
    inputs = {str(path): path for path in arguments.inputs}
    recorder = ProvenanceRecorder("report", options, inputs)
    page = compose_page(
        read_run(arguments.inputs, arguments.results), matrix, n_workers=arguments.threads
    )
    with publish_folder(arguments.output, "report", recorder.record) as draft:
        (draft / "index.html").write_text(page.html, encoding="utf-8")
        (draft / "figures").mkdir()
        for picture in page.pictures:
            (draft / "figures" / picture.file).write_bytes(picture.content)
        recorder.finish()
    print(f"{arguments.output / 'index.html'}: {len(page.pictures)} figures")
