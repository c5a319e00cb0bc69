"""Read data assemblies and stimulus sets of BrainIO, the format that Brain-Score publishes in.

An assembly is a netCDF-4 file with one variable over ``neuroid``, ``presentation`` and
``time_bin``, and coordinates along each of them. A stimulus set is a CSV table with one row per
stimulus and a ZIP archive of the images. Format: github.com/brain-score/brainio,
``docs/SPECIFICATION.md``.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from brainalign.errors import CorruptDataError, InputError
from brainalign.options import suggest_name
from brainalign.raw.images import decode_image_bytes

_DIMENSIONS = ("neuroid", "presentation", "time_bin")
# Older packages name the stimulus after the image.
_STIMULUS_COLUMNS = ("stimulus_id", "image_id")
_NEUROIDS_AT_ONCE = 32


@dataclass(frozen=True)
class Assembly:
    """What an assembly says of its rows and columns; responses are read by `read_responses`.

    Attributes
    ----------
    path : Path
        The file.
    variable : str
        Name of the variable that holds responses.
    neuroid : pandas.DataFrame
        Coordinates of the recorded sites, in the order of the file; index is ``neuroid_id``.
    presentation : pandas.DataFrame
        Coordinates of the presentations; column ``stimulus`` has the stimulus ids.
    window_ms : tuple of float
        Start and end of the only time bin, in ms after onset.
    """

    path: Path
    variable: str
    neuroid: pd.DataFrame
    presentation: pd.DataFrame
    window_ms: tuple[float, float]


def read_assembly(path: Path) -> Assembly:
    """Read the coordinates of an assembly.

    Parameters
    ----------
    path : Path
        A netCDF-4 file.

    Raises
    ------
    InputError
        The file is missing, has several time bins, or lacks a dimension or an id.
    CorruptDataError
        The file is damaged, or is no netCDF-4 file.
    """
    if not path.is_file():
        raise InputError("no such assembly", where=path)
    try:
        with h5py.File(path, "r") as file:
            variable = _find_responses(file, path)
            tables = {name: _read_coordinates(file, variable, name) for name in _DIMENSIONS}
    except OSError as error:
        raise CorruptDataError(
            "is no netCDF-4 file, or is damaged",
            where=path,
            found=str(error),
            remedy="Copy the file again.",
        ) from error
    neuroid, presentation, time_bin = (tables[name] for name in _DIMENSIONS)
    if len(time_bin) != 1 or not {"time_bin_start", "time_bin_end"} <= set(time_bin):
        raise InputError(
            "responses are wanted that are averaged over one window",
            where=path,
            expected="one time bin with its start and end",
            found=f"{len(time_bin)} time bins",
            remedy="Use the assembly without 'temporal' in its name.",
        )
    if "neuroid_id" not in neuroid:
        raise InputError("sites have no ids", where=path, expected="a coordinate neuroid_id")
    repeated = neuroid["neuroid_id"][neuroid["neuroid_id"].duplicated()]
    if len(repeated):
        raise CorruptDataError(f"site '{repeated.iloc[0]}' stands twice", where=path)
    presentation = presentation.rename(columns={_find_stimulus(presentation, path): "stimulus"})
    return Assembly(
        path=path,
        variable=variable,
        neuroid=neuroid.set_index("neuroid_id"),
        presentation=presentation,
        window_ms=(
            float(time_bin["time_bin_start"].iloc[0]),
            float(time_bin["time_bin_end"].iloc[0]),
        ),
    )


def read_responses(assembly: Assembly, sites: np.ndarray) -> np.ndarray:
    """Read the responses of some sites.

    Parameters
    ----------
    assembly : Assembly
        From `read_assembly`.
    sites : array of shape (n_sites,), int64
        Rows of ``assembly.neuroid``, ascending.

    Returns
    -------
    response : array of shape (n_presentations, n_sites), float32
        NaN where the file has none. Sites are read a few at a time: the file may hold twice the
        precision and other animals.
    """
    response = np.empty((len(assembly.presentation), len(sites)), dtype=np.float32)
    with h5py.File(assembly.path, "r") as file:
        dataset = file[assembly.variable]
        order = _list_dimensions(dataset)
        for first in range(0, len(sites), _NEUROIDS_AT_ONCE):
            part = sites[first : first + _NEUROIDS_AT_ONCE]
            choice = tuple(part if name == "neuroid" else slice(None) for name in order)
            block = np.transpose(dataset[choice], [order.index(name) for name in _DIMENSIONS])
            response[:, first : first + len(part)] = block[..., 0].T
    return response


def read_stimulus_set(path: Path) -> pd.DataFrame:
    """Read the table of a stimulus set.

    Parameters
    ----------
    path : Path
        CSV file.

    Returns
    -------
    table : pandas.DataFrame
        Indexed by stimulus id; all columns as text.

    Raises
    ------
    InputError
        The file is missing or no CSV table, has no ids or file names, or repeats an id.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such stimulus set", where=path) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError("is no CSV table", where=path, found=str(error)) from error
    if "filename" not in table:
        raise InputError(
            "the stimulus set has no column 'filename'",
            where=path,
            remedy=suggest_name("filename", table.columns),
        )
    name = _find_stimulus(table, path)
    repeated = table[name][table[name].duplicated()]
    if len(repeated):
        raise InputError(f"stimulus id '{repeated.iloc[0]}' stands twice", where=path)
    return table.set_index(table[name].rename("stimulus"))


class StimulusArchive:
    """The images of a stimulus set: a ZIP archive, or the folder that it was unpacked to.

    Parameters
    ----------
    path : Path
        Archive or folder.
    max_pixels : int
        Limit per image.

    Raises
    ------
    InputError
        Nothing is there.
    CorruptDataError
        The archive is damaged.
    """

    def __init__(self, path: Path, max_pixels: int) -> None:
        self._path, self._max_pixels = path, max_pixels
        if path.is_dir():
            self._names = {str(one.relative_to(path)) for one in path.rglob("*") if one.is_file()}
            return
        if not path.is_file():
            raise InputError("no such archive of images", where=path)
        try:
            with zipfile.ZipFile(path) as archive:
                self._names = set(archive.namelist())
        except zipfile.BadZipFile as error:
            raise CorruptDataError(
                "is no ZIP archive, or was cut short",
                where=path,
                found=str(error),
                remedy="Copy the file again.",
            ) from error

    def list_missing(self, names: list[str]) -> list[str]:
        """List names that the archive does not hold, sorted."""
        return sorted(set(names) - self._names)

    def read_image(self, name: str) -> np.ndarray:
        """Decode one image.

        Returns
        -------
        pixels : array of shape (y, x, 3), uint8

        Raises
        ------
        InputError
            There is no such image, or it is too large.
        CorruptDataError
            It is damaged, or its bytes are not those that were packed.
        """
        place = self._path / name
        if name not in self._names:
            raise InputError("no such image in the stimulus set", where=place)
        if self._path.is_dir():
            content = place.read_bytes()
        else:
            # Nothing is unpacked, so that no name can lead out of a folder.
            try:
                with zipfile.ZipFile(self._path) as archive:
                    content = archive.read(name)
            except zipfile.BadZipFile as error:
                raise CorruptDataError(
                    "the image is damaged", where=place, remedy="Copy the archive again."
                ) from error
        return decode_image_bytes(content, place, self._max_pixels)


def _find_responses(file: h5py.File, path: Path) -> str:
    """Name the one variable that spans all three dimensions."""
    for name, item in file.items():
        if isinstance(item, h5py.Dataset) and set(_list_dimensions(item)) == set(_DIMENSIONS):
            return str(name)
    raise InputError(
        "no variable spans all three dimensions of an assembly",
        where=path,
        expected=", ".join(_DIMENSIONS),
    )


def _read_coordinates(file: h5py.File, responses: str, dimension: str) -> pd.DataFrame:
    columns = {}
    n_rows = file[responses].shape[_list_dimensions(file[responses]).index(dimension)]
    for name, item in file.items():
        if name == dimension or not isinstance(item, h5py.Dataset):
            continue
        if _list_dimensions(item) == (dimension,):
            text = h5py.check_string_dtype(item.dtype) is not None
            columns[str(name)] = item.asstr()[...] if text else item[...]
    return pd.DataFrame(columns, index=pd.RangeIndex(n_rows))


def _list_dimensions(dataset: h5py.Dataset) -> tuple[str, ...]:
    """Names of the dimensions, by the scales that netCDF-4 attaches to them."""
    if "DIMENSION_LIST" not in dataset.attrs:
        return ()
    return tuple(str(Path(scale[0].name).name) if len(scale) else "" for scale in dataset.dims)


def _find_stimulus(table: pd.DataFrame, path: Path) -> str:
    for name in _STIMULUS_COLUMNS:
        if name in table:
            return name
    raise InputError("stimuli have no ids", where=path, expected=" or ".join(_STIMULUS_COLUMNS))
