"""Write sidecars, tables and volumes as BIDS wants them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import DTypeLike

_GZIP_LEVEL = 1  # noisy volumes gain little from higher levels, which take several times as long


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a sidecar; keys keep their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_tsv(path: Path, table: pd.DataFrame) -> None:
    """Write a table with ``n/a`` for what is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t", index=False, na_rep="n/a", lineterminator="\n")


def write_volume(
    path: Path,
    volume: np.ndarray,
    affine: np.ndarray,
    tr_s: float | None = None,
    dtype: DTypeLike | None = None,
) -> None:
    """Write a NIfTI file with both transforms and units set.

    Parameters
    ----------
    volume : array of shape (x, y, z) or (x, y, z, n_volumes)
        Values.
    tr_s : float, optional
        Repetition time of a series.
    dtype : dtype, optional
        Type of the stored voxels, that of the array by default; floats become integers with a
        slope and an intercept.

    Notes
    -----
    The gzip header carries no time of writing: equal volumes give equal files.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(volume, affine)
    image.header.set_xyzt_units("mm", "sec")
    if dtype is not None:
        image.set_data_dtype(dtype)
    if tr_s is not None:
        image.header.set_zooms((*image.header.get_zooms()[:3], tr_s))
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    compressed = gzip.compress(image.to_bytes(), compresslevel=_GZIP_LEVEL, mtime=0)
    path.write_bytes(compressed)
