"""Render the stimuli of the simulated world: objects, scenes and movies, with their truth."""

from __future__ import annotations

import argparse

from brainalign.config.arguments import add_job_arguments, read_job_options
from brainalign.config.job_options import describe_world, read_world_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign simulate-world``."""
    add_job_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the folder of the world."""
    import sys

    from brainalign.raw.simulate.world import write_world
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.publish import publish_folder

    options = read_job_options(arguments, describe_world)
    world = read_world_options(options)
    recorder = ProvenanceRecorder("raw", options)
    with publish_folder(arguments.output, "raw", recorder.record) as draft:
        write_world(draft, world, progress=lambda line: print(line, file=sys.stderr, flush=True))
        recorder.finish(seeds=[world.seed])
