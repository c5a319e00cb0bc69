"""Write a variable of voxels, such as a ceiling or a score, back as a NIfTI volume.

The variable may have further dimensions than unit: each of their places becomes a volume. Voxels
that are no unit, and units without a value, are NaN (0 with --fill 0).
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign map``."""
    parser.add_argument("store", type=Path, metavar="STORE", help="response store of volumes")
    parser.add_argument(
        "variable", metavar="VARIABLE", help="variable with a dimension unit, such as noise_ceiling"
    )
    parser.add_argument(
        "--values",
        type=Path,
        help="take the variable from this store instead, matched by unit",
        default=argparse.SUPPRESS,
    )
    parser.add_argument("--group", default="/", help="group of that store, such as /01/all/mean")
    parser.add_argument("--fill", type=float, default=float("nan"), help="value of other voxels")
    parser.add_argument("--output", type=Path, required=True, help="a .nii or .nii.gz file")


def run(arguments: argparse.Namespace) -> None:
    """Publish the volume."""
    from brainalign.responses.maps import read_voxel_grid, read_voxel_values, write_map
    from brainalign.stores.publish import publish_file

    grid = read_voxel_grid(arguments.store)
    source = getattr(arguments, "values", arguments.store)
    values = read_voxel_values(source, arguments.group, arguments.variable, grid)
    with publish_file(arguments.output) as draft:
        write_map(draft, arguments.output.name, values, grid, arguments.fill)
