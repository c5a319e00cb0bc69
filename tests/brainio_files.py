"""Miniature of the files that Brain-Score publishes of Majaj, Hong et al. (2015)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from PIL import Image

SITES = ("Chabo_L_M_5_9", "Chabo_L_M_6_9", "Tito_L_P_8_4", "Tito_L_M_1_1", "Chabo_L_A_2_4")
REGIONS = ("IT", "IT", "V4", "IT", "V4")
ASSEMBLY, TABLE, ARCHIVE = (
    "assy_dicarlo_MajajHong2015_public.nc",
    "stimulus_hvm-public.csv",
    "stimulus_hvm-public.zip",
)


@dataclass
class PublishedFiles:
    """What the three files say; a test changes it before they are written."""

    n_stimuli: int = 12
    n_repeats: int = 4
    window_ms: tuple[tuple[int, int], ...] = ((70, 170),)
    table_change: Callable[[pd.DataFrame], pd.DataFrame] = field(default=lambda table: table)
    left_out_image: int | None = None

    def list_stimuli(self) -> list[str]:
        """List the ids, which are checksums in the published files."""
        return [f"{number:04x}{'ab' * 18}" for number in range(self.n_stimuli)]

    def make_responses(self) -> np.ndarray:
        """Responses of shape (sites, presentations, time bins), repeats outermost."""
        generator = np.random.default_rng(0)
        tuning = generator.standard_normal((len(SITES), 1, self.n_stimuli))
        noise = 0.5 * generator.standard_normal((len(SITES), self.n_repeats, self.n_stimuli))
        flat = (tuning + noise).reshape(len(SITES), -1, 1)
        return np.repeat(flat, len(self.window_ms), axis=2)

    def write(self, folder: Path) -> Path:
        """Write assembly, table and archive."""
        folder.mkdir(parents=True, exist_ok=True)
        self._write_assembly(folder / ASSEMBLY)
        self._write_stimuli(folder)
        return folder

    def _write_assembly(self, path: Path) -> None:
        stimuli = self.list_stimuli() * self.n_repeats
        category = [("Faces", "Cars")[number % 2] for number in range(self.n_stimuli)]
        repeat = np.repeat(np.arange(self.n_repeats), self.n_stimuli)
        with h5py.File(path, "w") as file:
            data = file.create_dataset("data", data=self.make_responses())
            sizes = dict(zip(("neuroid", "presentation", "time_bin"), data.shape, strict=True))
            for axis, (name, size) in enumerate(sizes.items()):
                scale = file.create_dataset(name, data=np.zeros(size, dtype=">f4"))
                scale.make_scale(f"This is a netCDF dimension but not a netCDF variable.{size:10d}")
                data.dims[axis].attach_scale(scale)
            coordinates: dict[str, dict[str, object]] = {
                "neuroid": {
                    "neuroid_id": list(SITES),
                    "animal": [name.split("_")[0] for name in SITES],
                    "region": list(REGIONS),
                    "hemisphere": [name.split("_")[1] for name in SITES],
                    "row": np.arange(len(SITES)),
                },
                "presentation": {
                    "image_id": stimuli,
                    "repetition": repeat,
                    "category_name": category * self.n_repeats,
                },
                "time_bin": {
                    "time_bin_start": np.array([start for start, _ in self.window_ms]),
                    "time_bin_end": np.array([end for _, end in self.window_ms]),
                },
            }
            for dimension, columns in coordinates.items():
                for name, values in columns.items():
                    text = isinstance(values, list)
                    kind = h5py.string_dtype() if text else None
                    one = file.create_dataset(name, data=values, dtype=kind)
                    one.dims[0].attach_scale(file[dimension])
            file.attrs["identifier"] = "MajajHong2015.public"
            file.attrs["stimulus_set_identifier"] = "hvm-public"

    def _write_stimuli(self, folder: Path) -> None:
        stimuli = self.list_stimuli()
        count = np.arange(self.n_stimuli)
        table = pd.DataFrame(
            {
                "id": count,
                "background_id": "bg",
                "s": 1.0 + count / 100,
                "image_id": stimuli,
                "image_file_name": [f"{name}.png" for name in stimuli],
                "filename": [f"{name}.png" for name in stimuli],
                "rxy": 10.0 * count,
                "ty": count / 50,
                "tz": -count / 50,
                "category_name": [("Faces", "Cars")[number % 2] for number in range(len(count))],
                "object_name": [f"object-{number % 4}" for number in range(len(count))],
                "variation": 3,
                "rxy_semantic": -10.0 * count,
                "rxz_semantic": 0.0,
                "ryz_semantic": 0.0,
            }
        )
        self.table_change(table).to_csv(folder / TABLE, index=False)
        with zipfile.ZipFile(folder / ARCHIVE, "w") as archive:
            for number, name in enumerate(stimuli):
                if number != self.left_out_image:
                    pixels = np.full((8, 8), 10 * number, dtype=np.uint8)
                    content = io.BytesIO()
                    Image.fromarray(pixels).save(content, "PNG")
                    archive.writestr(f"{name}.png", content.getvalue())
