"""The command line: one verb per stage, the same verbs that the workflow's rules call."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from brainalign import __version__
from brainalign.errors import BrainalignError, InternalError, ResourceError
from brainalign.options import suggest_name
from brainalign.stop_signals import leave_on_stop_signals


@dataclass(frozen=True)
class Verb:
    """One verb of the command line.

    Parameters
    ----------
    module : str
        Module with the two functions below; light at import.
    summary : str
        One line for the overview.
    add_arguments, run : str
        Names of the functions that declare the arguments and that do the work.
    """

    module: str
    summary: str
    add_arguments: str = "add_arguments"
    run: str = "run"


VERBS: dict[str, Verb] = {
    "simulate-world": Verb("brainalign.raw.world_command", "render the simulated world's stimuli"),
    "simulate": Verb("brainalign.raw.simulate_command", "simulate a recording in raw files"),
    "align-onken": Verb(
        "brainalign.raw.align_command", "check the alignment of the salamander movies again"
    ),
    "download-dandiset": Verb(
        "brainalign.raw.dandi_command", "download NWB files from the DANDI archive, on request"
    ),
    "list-files": Verb("brainalign.raw.bids.command", "list the files of a BIDS data set once"),
    "preprocess": Verb(
        "brainalign.raw.preprocessing.command", "preprocess the volumes of one subject"
    ),
    "sorting-environment": Verb(
        "brainalign.sorting.environment_command", "build the environment of spike sorting"
    ),
    "simulate-electrodes": Verb(
        "brainalign.sorting.electrodes_command", "record planted spikes with simulated electrodes"
    ),
    "sort": Verb("brainalign.sorting.command", "sort or read spikes, curate units, write NWB"),
    "stimuli": Verb("brainalign.stimuli.command", "decode and split the stimuli of a data set"),
    "responses": Verb("brainalign.responses.command", "build the responses of one subject"),
    "train-backbone": Verb(
        "brainalign.features.training_command", "train a small backbone on the simulated world"
    ),
    "features": Verb("brainalign.features.command", "extract features of stimuli"),
    "train-prior": Verb(
        "brainalign.methods.image_prior.command", "train the image prior of a data set"
    ),
    "fit": Verb("brainalign.methods.fit_command", "fit a method with all seeds and folds"),
    "predict": Verb("brainalign.methods.predict_command", "embed test stimuli and responses"),
    "encode": Verb(
        "brainalign.methods.encode_command", "fit a linear encoding model per unit of a subject"
    ),
    "score": Verb("brainalign.evaluation.score_command", "score predictions"),
    "yardsticks": Verb(
        "brainalign.evaluation.yardsticks.command", "measure all layers of a backbone"
    ),
    "collect": Verb("brainalign.evaluation.collect_command", "join all scores into one table"),
    "report": Verb("brainalign.report.command", "draw the figures and write the page"),
    "open": Verb("brainalign.report.open_command", "write a page that shows one store or folder"),
    "map": Verb("brainalign.report.map_command", "write and draw values of voxels or vertices"),
    "inspect": Verb(
        "brainalign.stores.command",
        "print what a store or folder holds",
        "add_inspect_arguments",
        "run_inspect",
    ),
    "verify": Verb(
        "brainalign.stores.command",
        "recompute checksums and check contracts",
        "add_verify_arguments",
        "run_verify",
    ),
    "validate": Verb("brainalign.config.validate_command", "list problems of config and data"),
    "matrix": Verb("brainalign.config.matrix_command", "say which method runs on which data set"),
    "new": Verb("brainalign.templates.command", "begin with your own data: a folder to fill"),
}


def build_parser(verb: str) -> argparse.ArgumentParser:
    """Build the argument parser of one verb.

    Parameters
    ----------
    verb : str
        A key of :data:`VERBS`.
    """
    entry = VERBS[verb]
    module = importlib.import_module(entry.module)
    parser = argparse.ArgumentParser(
        prog=f"brainalign {verb}", description=module.__doc__, formatter_class=_HelpFormatter
    )
    getattr(module, entry.add_arguments)(parser)
    return parser


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps paragraphs and shows defaults."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the entry point of the ``brainalign`` command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command-line words after the program's name; those of the process by default.

    Returns
    -------
    status : int
        0, or the exit code of the error's class: 2 input or configuration, 3 corrupt data,
        4 resources, 5 internal.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(_compose_overview())
        return 0
    if words[0] == "--version":
        print(__version__)
        return 0
    if words[0] not in VERBS:
        print(f"brainalign: no verb '{words[0]}'. {suggest_name(words[0], VERBS)}", file=sys.stderr)
        return 2
    parser = build_parser(words[0])
    parsed = parser.parse_args(words[1:])
    return _run(words[0], parsed)


def _run(verb: str, parsed: argparse.Namespace) -> int:
    entry = VERBS[verb]
    try:
        with leave_on_stop_signals():
            return int(getattr(importlib.import_module(entry.module), entry.run)(parsed) or 0)
    except BrainalignError as error:
        return _report_error(verb, error)
    except MemoryError:
        return _report_error(
            verb, ResourceError("out of memory", remedy="Lower batch sizes or ask for more.")
        )
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(f"brainalign {verb}: interrupted; nothing was published", file=sys.stderr)
        return 130
    except Exception as error:
        traceback.print_exc()
        return _report_error(
            verb,
            InternalError(
                f"{type(error).__name__}: {error}", remedy="This is a bug; please report the trace."
            ),
        )


def _report_error(verb: str, error: BrainalignError) -> int:
    print(f"brainalign {verb}: {error}", file=sys.stderr)
    return error.exit_code


def _compose_overview() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            f"brainalign {__version__}: from raw recordings to brain-model alignment scores",
            "",
            "usage: brainalign VERB [--help] …",
            "",
            *lines,
            "",
            "The whole workflow: snakemake --cores all",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
