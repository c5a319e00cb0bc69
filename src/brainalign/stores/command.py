"""The verbs ``brainalign verify`` and ``brainalign inspect``."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.errors import CorruptDataError


def add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``brainalign verify``."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        type=Path,
        help="a published store or folder, or a folder that holds many of them",
    )


def run_verify(arguments: argparse.Namespace) -> int:
    """Recompute checksums, check contracts, and print one line per published folder.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``paths``, see :func:`add_verify_arguments`.

    Returns
    -------
    exit_code : int
        0 if every folder is sound.

    Raises
    ------
    InputError
        If a path does not exist.
    CorruptDataError
        If any folder is damaged or was never published; all are checked and printed first.
    """
    # Imported here so that --help needs neither xarray nor Zarr.
    from brainalign.stores.verify import find_store_problems, list_published_folders

    damaged: list[Path] = []
    n_folders = 0
    for path in arguments.paths:
        for folder in list_published_folders(path) or [path]:
            n_folders += 1
            try:
                problems = find_store_problems(folder)
            except CorruptDataError as error:
                problems = [error.what]
            if problems:
                damaged.append(folder)
            print(f"DAMAGED {folder}: {'; '.join(problems)}" if problems else f"ok  {folder}")
    if damaged:
        raise CorruptDataError(
            f"{len(damaged)} of {n_folders} published folders are damaged",
            found=", ".join(str(folder) for folder in damaged),
            remedy="Delete them and run their rules again.",
        )
    return 0


def add_inspect_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``brainalign inspect``."""
    parser.add_argument(
        "path", metavar="PATH", type=Path, help="a published store or folder, or a file"
    )
    parser.add_argument(
        "--no-statistics",
        dest="statistics",
        action="store_false",
        help="do not read the values, only their description",
    )


def run_inspect(arguments: argparse.Namespace) -> int:
    """Print a readable tree of one published folder.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``path`` and ``statistics``, see :func:`add_inspect_arguments`.

    Returns
    -------
    exit_code : int
        0.
    """
    from brainalign.stores.inspect import describe_store

    print(describe_store(arguments.path, statistics=arguments.statistics))
    return 0
