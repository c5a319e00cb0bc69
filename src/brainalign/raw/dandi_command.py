"""Download a data set of the DANDI archive with the archive's own client; no job calls this."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign download-dandiset``."""
    parser.add_argument("--dandiset", required=True, help="number of the data set, six digits")
    parser.add_argument(
        "--folder", type=Path, required=True, help="folder in which that of the data set is made"
    )
    parser.add_argument(
        "--dandiset-version", help="published version; leave it out for the most recent one"
    )


def run(arguments: argparse.Namespace) -> None:
    """Download, then say where the files lie."""
    from brainalign.errors import InputError
    from brainalign.raw.dandi import download_dandiset
    from brainalign.raw.dandi_number import check_number

    try:
        number = check_number(arguments.dandiset)
    except ValueError as error:
        raise InputError(str(error), where="--dandiset") from error
    print(download_dandiset(arguments.folder, number, arguments.dandiset_version))
