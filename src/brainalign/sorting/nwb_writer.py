"""Write the curated units of one session as an NWB file."""

from __future__ import annotations

import json
import platform
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import hdmf
import numpy as np
import pandas as pd
import pynwb
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.file import Subject
from pynwb.misc import Units

from brainalign import __version__
from brainalign.sorting.metrics import find_main_channel
from brainalign.sorting.options import SortSessionOptions
from brainalign.sorting.units import FoundUnits

MAX_WAVEFORM_CHANNELS = 12  # the nearest to a unit; others hold hardly anything of it

_METRICS = {
    "firing_rate_hz": "mean rate over the recording, in Hz",
    "presence_ratio": "share of time bins with a spike",
    "isi_violation_share": "share of intervals within the refractory period",
    "snr": "peak of the mean waveform over the noise of its channel; NaN where no raw data tell",
}


def write_sorted_nwb(
    path: Path,
    session: SortSessionOptions,
    found: FoundUnits,
    curated: pd.DataFrame,
    events: pd.DataFrame,
    *,
    unit_names: list[str],
    duration_s: float,
    frame_triggers: np.ndarray | None,
    species: str,
    provenance: Mapping[str, Any],
) -> None:
    """Write one session.

    Parameters
    ----------
    path : Path
        File to write; its folder exists.
    session : SortSessionOptions
        Ids, area and start.
    found : FoundUnits
        What the sorter found.
    curated : pandas.DataFrame
        As :func:`brainalign.sorting.curation.curate` gives it; only kept units are written.
    events : pandas.DataFrame
        ``start_time``, ``stop_time``, ids and further columns.
    unit_names : list of str
        Lasting id per row of `curated`.
    duration_s : float
        Length of the recording in s.
    frame_triggers : array of shape (n_pulses,) or None
        Pulses of the display in s; written as the series ``frame_triggers``.
    species : str
        Latin name.
    provenance : mapping
        Sorter, versions and parameters as JSON values; written into the file's notes.
    """
    name = f"sub-{session.subject}_ses-{session.session}"
    sorter = f"{found.sorter['name']} {found.sorter['version']}"
    file = NWBFile(
        session_description="Extracellular spikes, sorted and curated, and what was shown.",
        identifier=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {session.start_time}")),
        session_start_time=datetime.fromisoformat(session.start_time),
        session_id=session.session,
        experiment_description=f"Units of {sorter}, curated by thresholds.",
        experimenter=["Unknown, Experimenter"],
        institution="unknown",
        lab="unknown",
        keywords=["spikes", "vision", "spike sorting"],
        notes=json.dumps(provenance, sort_keys=True),
        was_generated_by=[
            ["brainalign", __version__],
            ["spikeinterface", str(found.sorter.get("spikeinterface", "unknown"))],
            ["pynwb", pynwb.__version__],
            ["hdmf", hdmf.__version__],
            ["python", platform.python_version()],
        ],
    )
    file.subject = Subject(
        subject_id=session.subject,
        species=species,
        sex="U",
        age="P0D/",
        description="Subject of the recording.",
    )
    if found.channel_um is not None:
        _add_electrodes(file, found.channel_um, session.area)
    _add_units(file, session, found, curated, unit_names, duration_s)
    _add_trials(file, events)
    if frame_triggers is not None:
        file.add_acquisition(
            TimeSeries(
                name="frame_triggers",
                description="Pulses of the display's frames, as recorded.",
                data=np.arange(len(frame_triggers), dtype=np.int32),
                unit="n.a.",
                timestamps=frame_triggers,
            )
        )
    with NWBHDF5IO(path, "w") as stream:
        stream.write(file)


def _add_electrodes(file: NWBFile, channel_um: np.ndarray, area: str) -> None:
    device = file.create_device(name="probe", description="Electrodes of the recording.")
    group = file.create_electrode_group(
        name="electrodes", description="All good channels.", location=area, device=device
    )
    file.add_electrode_column("rel_x", "place along the probe's first axis, in micrometres")
    file.add_electrode_column("rel_y", "place along the probe's second axis, in micrometres")
    for x, y in channel_um:
        file.add_electrode(group=group, location=area, rel_x=float(x), rel_y=float(y))


def _add_units(
    file: NWBFile,
    session: SortSessionOptions,
    found: FoundUnits,
    curated: pd.DataFrame,
    unit_names: list[str],
    duration_s: float,
) -> None:
    rate = found.sampling_rate_hz
    file.units = Units(
        name="units",
        description=f"Units of {found.sorter['name']} that passed curation.",
        **({"resolution": 1 / rate} if rate else {}),
        **({"waveform_rate": rate, "waveform_unit": "volts"} if rate else {}),
    )
    # nwbinspector asks to leave out columns in which nothing is known.
    metrics = [name for name in _METRICS if curated.loc[curated["kept"], name].notna().any()]
    columns = {
        "unit_name": "id of the unit within its animal",
        "cluster": "id that the sorter gave",
        "quality": "good: single neuron; mua: several neurons",
        "location": "brain area",
        **{name: _METRICS[name] for name in metrics},
    }
    for name, description in columns.items():
        file.add_unit_column(name, description)
    channels = _choose_channels(found)
    scale = 1e-6 if found.waveform_unit == "uV" else 1.0
    for row, unit in enumerate(curated.itertuples()):
        if not unit.kept:
            continue
        words: dict[str, Any] = {}
        if channels is not None and found.waveform is not None:
            words["electrodes"] = channels[row].tolist()
            words["waveform_mean"] = scale * found.waveform[row][:, channels[row]]
        file.add_unit(
            spike_times=found.spike_times[row],
            obs_intervals=[[0.0, duration_s]],
            unit_name=unit_names[row],
            cluster=str(unit.unit),
            quality=str(unit.quality),
            location=session.area,
            **{name: float(getattr(unit, name)) for name in metrics},
            **words,
        )


def _choose_channels(found: FoundUnits) -> np.ndarray | None:
    """Nearest channels per unit, its main one first; None where nothing places units."""
    if found.waveform is None or found.channel_um is None or not len(found.waveform):
        return None
    main = find_main_channel(np.nan_to_num(found.waveform))
    distance = np.linalg.norm(found.channel_um[main][:, None] - found.channel_um[None], axis=2)
    return np.argsort(distance, axis=1, kind="stable")[:, :MAX_WAVEFORM_CHANNELS]


def _add_trials(file: NWBFile, events: pd.DataFrame) -> None:
    extra = [name for name in events.columns if name not in ("start_time", "stop_time")]
    for name in extra:
        file.add_trial_column(name, _describe_column(name))
    for row in events.to_dict("records"):
        file.add_trial(**{str(name): value for name, value in row.items()})


def _describe_column(name: str) -> str:
    known = {"stimulus": "id of the shown stimulus", "movie": "id of the shown movie"}
    return known.get(name, f"column '{name}' of the table of events")
