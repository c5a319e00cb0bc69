"""The line of Python that opens a published folder, by its kind."""

from __future__ import annotations

from pathlib import Path

from brainalign.stores.manifest import Manifest

# Groups need a tree; what lies in the root opens as one data set.
_STORES = {
    "stimuli": "xr.open_zarr({path})",
    "responses": "xr.open_zarr({path})",
    "encoding": "xr.open_zarr({path})",
    "features": 'xr.open_datatree({path}, engine="zarr")',
    "predictions": 'xr.open_datatree({path}, engine="zarr")',
    "scores": 'xr.open_zarr({path}, group="table")',
}
# The first file that is there says most.
_FILES = {
    "training.csv": "pd.read_csv({path})",
    "units.csv": "pd.read_csv({path})",
    "files.tsv": 'pd.read_csv({path}, sep="\\t")',
    "weights.safetensors": "load_file({path})",
}
_IMPORTS = {
    "xr.": "import xarray as xr",
    "pd.": "import pandas as pd",
    "AutoModel": "from transformers import AutoModel",
    "load_file": "from safetensors.numpy import load_file",
    "sorted(": "from pathlib import Path",
}


def write_opener(path: Path, manifest: Manifest) -> str:
    """Write the line that opens a published folder in Python.

    Parameters
    ----------
    path : Path
        The folder.
    manifest : Manifest
        Its manifest.

    Returns
    -------
    line : str
        An expression; :func:`write_import` gives the import that it needs.
    """
    if manifest.kind in _STORES:
        return _STORES[manifest.kind].format(path=_quote(path))
    if manifest.kind == "backbone" and "config.json" in manifest.files:
        return f"AutoModel.from_pretrained({_quote(path)})"
    for name, line in _FILES.items():
        if name in manifest.files:
            return line.format(path=_quote(path / name))
    return f'sorted(Path({_quote(path)}).rglob("*"))'


def write_import(line: str) -> str:
    """Write the import that a line of :func:`write_opener` needs."""
    return next(needed for start, needed in _IMPORTS.items() if line.startswith(start))


def list_imports() -> list[str]:
    """List all imports that lines of :func:`write_opener` may need."""
    return list(_IMPORTS.values())


def _quote(path: Path) -> str:
    """Write a path as Python text in double quotes, whatever it holds."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
