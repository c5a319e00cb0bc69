"""Write a value per voxel or vertex, such as a ceiling or a score, as a map, and draw it.

Voxels become a NIfTI volume (.nii, .nii.gz), surface vertices a CIFTI file (.dscalar.nii). The
variable may have further dimensions than unit: each of their places becomes a volume or a row.
Voxels that are no unit, and units without a value, are NaN (0 with --fill 0).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from brainalign.responses.maps import VoxelGrid
    from brainalign.responses.surface_maps import Grayordinates

_FIGURE_ENDINGS = (".png", ".svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign map``."""
    parser.add_argument("store", type=Path, metavar="STORE", help="response store of voxels")
    parser.add_argument(
        "variable", metavar="VARIABLE", help="variable with a dimension unit, such as noise_ceiling"
    )
    parser.add_argument(
        "--values",
        type=Path,
        help="take the variable from this store instead, matched by unit: a store of responses, "
        "or a table of scores such as results/scores.zarr",
        default=argparse.SUPPRESS,
    )
    parser.add_argument("--group", default="/", help="group of that store, such as /unit_encoding")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="rows of a table of scores; data set and subject are those of the response store",
    )
    parser.add_argument("--fill", type=float, default=float("nan"), help="value of other voxels")
    parser.add_argument(
        "--output", type=Path, help="a .nii, .nii.gz or .dscalar.nii file", default=None
    )
    parser.add_argument("--figure", type=Path, help="a .png or .svg file to draw", default=None)
    for side in ("left", "right"):
        parser.add_argument(
            f"--surface-{side}",
            type=Path,
            default=None,
            help=f"surface of the {side} hemisphere (.surf.gii) to draw vertices on",
        )


def run(arguments: argparse.Namespace) -> None:
    """Publish the map and its figure."""
    from brainalign.errors import InputError
    from brainalign.responses.maps import (
        has_variables,
        read_identity,
        read_unit_values,
        read_voxel_grid,
        write_map,
    )
    from brainalign.responses.surface_maps import (
        Grayordinates,
        read_grayordinates,
        write_dense_scalars,
    )
    from brainalign.stores.publish import publish_file

    output, figure = arguments.output, arguments.figure
    if output is None and figure is None:
        raise InputError("nothing to write", remedy="Give --output, --figure or both.")
    if figure is not None and figure.suffix not in _FIGURE_ENDINGS:
        raise InputError("is no name of a figure", where=figure, expected=".png or .svg")
    places: VoxelGrid | Grayordinates
    on_surface = has_variables(arguments.store, "vertex")
    places = (read_grayordinates if on_surface else read_voxel_grid)(arguments.store)
    identity = read_identity(arguments.store)
    source = getattr(arguments, "values", arguments.store)
    columns = {**identity, **_read_columns(arguments.where)}
    values = read_unit_values(source, arguments.group, arguments.variable, places.unit, columns)
    drawn = None
    if figure is not None:
        # Drawn before anything is published: a map without its figure would look finished.
        drawn = _draw(values, places, arguments, " · ".join(identity.values()))
    if output is not None:
        with publish_file(output) as draft:
            if isinstance(places, Grayordinates):
                write_dense_scalars(draft, output.name, arguments.variable, values, places)
            else:
                write_map(draft, output.name, values, places, arguments.fill)
    if figure is not None and drawn is not None:
        from brainalign.report.pictures import encode_figure

        picture = encode_figure(drawn, figure.stem, "", file_format=figure.suffix[1:])
        with publish_file(figure) as draft:
            draft.write_bytes(picture.content)


def _read_columns(texts: list[str]) -> dict[str, str]:
    from brainalign.errors import InputError

    for text in texts:
        if "=" not in text:
            raise InputError("--where needs COLUMN=VALUE", found=text)
    return dict(text.split("=", 1) for text in texts)


def _draw(
    values: np.ndarray,
    places: VoxelGrid | Grayordinates,
    arguments: argparse.Namespace,
    title: str,
) -> Figure:
    from brainalign.errors import InputError
    from brainalign.responses.maps import VoxelGrid
    from brainalign.responses.surface_maps import read_mesh, spread_over_surface

    label = arguments.variable.replace("_", " ")
    if values.ndim > 1:
        raise InputError(
            "a figure shows one value per unit",
            where=arguments.variable,
            found=f"{values[0].size} values per unit",
            remedy="Write them with --output, without --figure.",
        )
    if isinstance(places, VoxelGrid):
        from brainalign.report.figures.unit_maps import draw_voxels

        return draw_voxels(values, places, title, label)
    given = {"left": arguments.surface_left, "right": arguments.surface_right}
    given = {side: path for side, path in given.items() if path is not None}
    if not given:
        raise InputError(
            "vertices are drawn on a surface, which responses do not hold",
            where=arguments.store,
            remedy="Give --surface-left and --surface-right, such as S1200.L.inflated_MSMAll."
            "59k_fs_LR.surf.gii, or write a CIFTI file with --output for Connectome Workbench.",
        )
    from brainalign.report.figures.surface_map import draw_surface_map

    textures = {side: spread_over_surface(values, places, f"cortex_{side}") for side in given}
    meshes = {side: read_mesh(path, len(textures[side])) for side, path in given.items()}
    return draw_surface_map(meshes, textures, title, label)
