"""Raw recordings in other formats than plain samples, in the layout of their makers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
from pynwb import NWBHDF5IO, NWBFile
from pynwb.ecephys import ElectricalSeries

GAIN_UV = 0.5


def write_mcs_hdf5(path: Path, samples: np.ndarray, rate_hz: float) -> Path:
    """Write the file of a multi-electrode array as Multi Channel Systems exports it.

    Parameters
    ----------
    path : Path
        File to write.
    samples : array of shape (n_samples, n_channels), int32
        In steps of 0.5 microvolts.
    rate_hz : float
        Samples per second; a tick is a whole number of microseconds.
    """
    fields = [("ChannelID", "i4"), ("Label", "S8"), ("Unit", "S8"), ("Tick", "i8")]
    fields += [("Exponent", "i4"), ("ConversionFactor", "i8"), ("ADZero", "i4")]
    n_samples, n_channels = samples.shape
    info = np.array(
        [
            (channel, f"E{channel}", "V", round(1e6 / rate_hz), -7, round(10 * GAIN_UV), 0)
            for channel in range(n_channels)
        ],
        dtype=fields,
    )
    with h5py.File(path, "w") as file:
        stream = file.create_group("Data/Recording_0/AnalogStream/Stream_0")
        stream["ChannelData"] = samples.T
        stream["ChannelDataTimeStamps"] = np.array([[0, 0, n_samples - 1]])
        stream["InfoChannel"] = info
    return path


def write_electrical_series(
    path: Path, samples: np.ndarray, rate_hz: float, place_um: np.ndarray
) -> Path:
    """Write raw samples as the ElectricalSeries of an NWB file.

    Parameters
    ----------
    path : Path
        File to write.
    samples : array of shape (n_samples, n_channels), int16
        In steps of 0.5 microvolts.
    rate_hz : float
        Samples per second.
    place_um : array of shape (n_channels, 2)
        Places of the electrodes in micrometres.
    """
    nwb = NWBFile(
        session_description="test",
        identifier=path.stem,
        session_start_time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    device = nwb.create_device(name="array")
    group = nwb.create_electrode_group("array", "array", "retina", device)
    for name in ("rel_x", "rel_y"):
        nwb.add_electrode_column(name, "place in micrometres")
    for x, y in place_um:
        nwb.add_electrode(group=group, location="retina", rel_x=float(x), rel_y=float(y))
    region = nwb.create_electrode_table_region(list(range(len(place_um))), "all")
    nwb.add_acquisition(
        ElectricalSeries(
            name="raw",
            data=samples,
            electrodes=region,
            rate=rate_hz,
            conversion=GAIN_UV / 1e6,
        )
    )
    with NWBHDF5IO(str(path), "w") as stream:
        stream.write(nwb)
    return path
