"""Record planted spikes with simulated electrodes, as raw binary files with a probe.

Runs in the sorting environment.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign simulate-electrodes``."""
    parser.add_argument(
        "--recording", type=Path, required=True, help="folder of the simulated recording"
    )
    parser.add_argument("--output", type=Path, required=True, help="what to publish")


def run(arguments: argparse.Namespace) -> None:
    """Publish one folder per planned recording."""
    from brainalign.progress import announce
    from brainalign.sorting.electrode_plan import read_electrode_plan, read_planted_spikes
    from brainalign.sorting.electrodes import write_recording
    from brainalign.stores.manifest import read_manifest
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.publish import publish_folder

    read_manifest(arguments.recording)
    plan = read_electrode_plan(arguments.recording)
    recorder = ProvenanceRecorder("raw", {}, {"recording": arguments.recording})
    with publish_folder(arguments.output, "raw", recorder.record) as draft:
        for one in plan:
            cells, spike_times = read_planted_spikes(arguments.recording / one.spikes)
            (draft / one.name).mkdir(parents=True)
            with announce(f"recording {one.name}"):
                write_recording(draft / one.name, spike_times, cells, one.plan, one.seed)
        recorder.finish(seeds=[one.seed for one in plan])
