"""Write one simulated IT session as an NWB file."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from hdmf.backends.hdf5.h5_utils import H5DataIO
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.base import ImageReferences, Images
from pynwb.file import Subject
from pynwb.image import IndexSeries, RGBImage
from pynwb.misc import Units

from .it_session import LEAD_IN_S, SPIKE_TIME_RESOLUTION_S, SessionPlan

FIRST_SESSION = datetime(2024, 3, 4, 9, 0, tzinfo=UTC)
PHOTODIODE_RATE_HZ = 1000.0
PHOTODIODE_LEVELS = (40, 900)  # raw values of a dark and of a lit diode
ELECTRODE_PITCH_UM = 400.0
ELECTRODES_PER_ARRAY = 64  # 8 x 8


@dataclass(frozen=True)
class ITSession:
    """What one NWB file holds.

    Parameters
    ----------
    subject, session : str
        Ids, such as ``monkey-a`` and ``01``.
    unit : array of shape (n_units,)
        Persistent unit ids.
    quality : array of shape (n_units,)
        ``good`` or ``mua``.
    spike_times : list of array
        Sorted, s, one per unit.
    plan : SessionPlan
        Trials; ``plan.stimulus`` indexes ``stimulus``.
    stimulus : array of shape (n_stimuli,)
        Ids.
    stimulus_on_s, stimulus_off_s : float
        Time a stimulus is on, and the blank that follows, s.
    """

    subject: str
    session: str
    unit: np.ndarray
    quality: np.ndarray
    spike_times: list[np.ndarray]
    plan: SessionPlan
    stimulus: np.ndarray
    stimulus_on_s: float
    stimulus_off_s: float

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds."""
        last = float(self.plan.start_time[-1])
        return round(last + self.stimulus_on_s + self.stimulus_off_s + LEAD_IN_S, 6)


def write_session_nwb(path: Path, session: ITSession, images: dict[int, np.ndarray]) -> None:
    """Write one session.

    Parameters
    ----------
    path : Path
        File to write; its folder exists.
    session : ITSession
        What to write.
    images : dict of int to array of shape (y, x, 3), uint8
        Picture of every stimulus that the session shows, by row of ``session.stimulus``.

    Notes
    -----
    All times are in seconds from the session's start. Arrays are equal for equal input; NWB's
    random object ids and the creation date are not.
    """
    number = int(session.session)
    name = f"sub-{session.subject}_ses-{session.session}"
    nwbfile = NWBFile(
        session_description="A simulated macaque looks at rendered objects, shown one by one.",
        identifier=str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
        session_start_time=FIRST_SESSION + timedelta(days=number - 1),
        session_id=session.session,
        experiment_description=(
            "Simulated spikes with planted tuning to category, pose, position and size. "
            "No animal was involved."
        ),
        experimenter=["Simulator, The"],
        institution="brainalign",
        lab="simulated world",
        keywords=["simulation", "inferior temporal cortex", "object recognition", "spikes"],
        stimulus_notes="Rendered objects; the trials table gives the id of each stimulus.",
    )
    nwbfile.subject = Subject(
        subject_id=session.subject,
        species="Macaca mulatta",
        sex="U",
        age="P8Y",
        description="Simulated animal.",
    )
    _add_electrodes(nwbfile, len(session.unit))
    _add_units(nwbfile, session)
    _add_trials(nwbfile, session)
    _add_photodiode(nwbfile, session)
    _add_images(nwbfile, session, images)
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)


def _add_electrodes(nwbfile: NWBFile, n_electrodes: int) -> None:
    device = nwbfile.create_device(name="utah_arrays", description="Chronically implanted arrays.")
    side = int(np.sqrt(ELECTRODES_PER_ARRAY))
    groups = [
        nwbfile.create_electrode_group(
            name=f"array-{index + 1}", description="8 x 8 electrodes", location="IT", device=device
        )
        for index in range(-(-n_electrodes // ELECTRODES_PER_ARRAY))
    ]
    nwbfile.add_electrode_column("rel_x", "place on the array along its rows, in micrometres")
    nwbfile.add_electrode_column("rel_y", "place on the array across its rows, in micrometres")
    for electrode in range(n_electrodes):
        array, place = divmod(electrode, ELECTRODES_PER_ARRAY)
        row, column = divmod(place, side)
        nwbfile.add_electrode(
            group=groups[array],
            location="IT",
            rel_x=column * ELECTRODE_PITCH_UM,
            rel_y=row * ELECTRODE_PITCH_UM,
        )


def _add_units(nwbfile: NWBFile, session: ITSession) -> None:
    nwbfile.units = Units(
        name="units", description="Simulated sorted units.", resolution=SPIKE_TIME_RESOLUTION_S
    )
    nwbfile.add_unit_column("unit_name", "id of the unit, the same in all sessions of the animal")
    nwbfile.add_unit_column("quality", "good: well isolated; mua: several neurons")
    nwbfile.add_unit_column("location", "brain area")
    interval = [[0.0, session.duration_s]]
    for index, times in enumerate(session.spike_times):
        nwbfile.add_unit(
            spike_times=times,
            obs_intervals=interval,
            electrodes=[index],
            unit_name=str(session.unit[index]),
            quality=str(session.quality[index]),
            location="IT",
        )


def _add_trials(nwbfile: NWBFile, session: ITSession) -> None:
    plan = session.plan
    columns = {
        "stimulus": "id of the stimulus, as in the world's stimuli.tsv",
        "repeat": "presentations of the stimulus in this session before this one",
        "photodiode_onset": "time at which the stimulus appeared on the screen, in seconds",
        "valid": "False where the animal looked away; such a trial is shown again later",
    }
    for name, description in columns.items():
        nwbfile.add_trial_column(name, description)
    for trial, row in enumerate(plan.stimulus):
        start = float(plan.start_time[trial])
        nwbfile.add_trial(
            start_time=start,
            stop_time=round(start + session.stimulus_on_s, 6),
            stimulus=str(session.stimulus[row]),
            repeat=int(plan.repeat[trial]),
            photodiode_onset=float(plan.photodiode_onset[trial]),
            valid=bool(plan.valid[trial]),
        )


def _add_photodiode(nwbfile: NWBFile, session: ITSession) -> None:
    plan, (dark, lit) = session.plan, PHOTODIODE_LEVELS
    n_samples = int(session.duration_s * PHOTODIODE_RATE_HZ)
    time = np.arange(n_samples) / PHOTODIODE_RATE_HZ
    latest = np.searchsorted(plan.photodiode_onset, time, side="right") - 1
    since = time - plan.photodiode_onset[np.clip(latest, 0, None)]
    on = (latest >= 0) & (since < session.stimulus_on_s)
    nwbfile.add_acquisition(
        TimeSeries(
            name="photodiode",
            description="Light at the corner of the screen that is lit with every stimulus.",
            data=H5DataIO(np.where(on, lit, dark).astype(np.int16), compression="gzip"),
            unit="a.u.",
            starting_time=0.0,
            rate=PHOTODIODE_RATE_HZ,
        )
    )


def _add_images(nwbfile: NWBFile, session: ITSession, images: dict[int, np.ndarray]) -> None:
    shown = sorted(images)
    pictures = [
        RGBImage(
            name=str(session.stimulus[row]),
            data=H5DataIO(images[row], compression="gzip"),
            description=f"Stimulus {session.stimulus[row]}, sRGB.",
        )
        for row in shown
    ]
    container = Images(
        name="stimulus_images",
        images=pictures,
        description="Every stimulus of the session; names are stimulus ids.",
        order_of_images=ImageReferences(name="order_of_images", data=pictures),
    )
    nwbfile.add_stimulus_template(container)
    order = np.searchsorted(shown, session.plan.stimulus).astype(np.uint32)
    nwbfile.add_stimulus(
        IndexSeries(
            name="presentations",
            description="Which image appeared when; times are photodiode onsets.",
            data=order,
            indexed_images=container,
            unit="N/A",
            timestamps=session.plan.photodiode_onset,
        )
    )
