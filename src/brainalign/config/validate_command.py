"""List every problem of a configuration and of its data, before any costly job.

A configuration that is wrong in one place does not hide the others: data sets whose own options are
right are still checked. Large data are checked in part (headers, a share of the pictures), so that
the check takes seconds; a note says so, and the run itself reads everything.

Files are merged as `snakemake --configfile` merges them: config.yaml of the working folder first,
where there is one, then the given files in their order; mappings are merged, lists replaced.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import DEFAULT_CONFIG


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign validate``."""
    parser.add_argument(
        "config",
        type=Path,
        nargs="*",
        metavar="CONFIG",
        help=f"configuration files, later ones win; {DEFAULT_CONFIG} comes before them",
        default=argparse.SUPPRESS,
    )


def run(arguments: argparse.Namespace) -> None:
    """Print one line per problem and one per part that is fine.

    Raises
    ------
    BrainalignError
        With the number of problems; of the class with the highest exit code among them.
    """
    from brainalign.config.load import ConfigError, load_config
    from brainalign.config.validation import validate_experiment, validate_readable_parts
    from brainalign.errors import BrainalignError, InputError

    problems: list[BrainalignError] = []
    try:
        config = load_config(list_config_files(getattr(arguments, "config", [])))
    except ConfigError as error:
        for problem in error.problems:
            print(f"problem: {problem}")
            problems.append(InputError(problem))
        findings = validate_readable_parts(error.content)
    else:
        findings = validate_experiment(config)
    for finding in findings:
        if isinstance(finding, BrainalignError):
            problems.append(finding)
            print(f"problem: {finding}", flush=True)
        else:
            print(finding, flush=True)
    if problems:
        raise _summarise(len(problems), max(problems, key=lambda problem: problem.exit_code))


def list_config_files(given: list[Path]) -> list[Path]:
    """List the files to merge: the default one where it exists, then the given ones."""
    default = Path(DEFAULT_CONFIG)
    has_default = default.is_file() or not given
    return [default, *given] if has_default and default not in given else given


def _summarise(n_problems: int, worst: Exception) -> Exception:
    from brainalign.errors import CorruptDataError, InputError, ResourceError

    classes = {error.exit_code: error for error in (InputError, CorruptDataError, ResourceError)}
    count = "1 problem" if n_problems == 1 else f"{n_problems} problems"
    return classes[getattr(worst, "exit_code", 2)](f"{count} found, listed above")
