"""Write simulated IT sessions as laboratories have them before NWB: sorts and electrodes.

Session 01 is a Phy folder; session 02 is a plan for simulated electrodes, which another job turns
into a raw recording. Cells, latents and rates are those of the simulated IT recording.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import InputError
from brainalign.raw.simulate.it_population import compute_evoked_rate, draw_population
from brainalign.raw.simulate.it_recording import WINDOW_S
from brainalign.raw.simulate.it_session import (
    SessionPlan,
    compute_window_share,
    draw_session_noise,
    draw_spike_trains,
    make_profile,
    plan_session,
)
from brainalign.raw.simulate.options import SimulatedITOptions
from brainalign.raw.simulate.phy_writer import write_phy_folder
from brainalign.raw.simulate.sort_options import SimulatedITSortsOptions
from brainalign.raw.simulate.streams import derive_generator
from brainalign.raw.simulate.world_tables import read_table
from brainalign.sorting.electrode_plan import (
    ElectrodePlan,
    PlannedRecording,
    drop_impossible_spikes,
    write_electrode_plan,
    write_planted_spikes,
)
from brainalign.sorting.job import SESSIONS_FILE
from brainalign.sorting.options import SortSessionOptions
from brainalign.sorting.planted_rates import write_planted_rates

PHY_RATE_HZ = 30_000.0
GOOD_SHARE = 0.7  # of the Phy clusters labelled good; the others are mua
NOISE_RATE_HZ = 4.0  # of a cluster labelled noise, which curation must drop
PHY_SESSION, ARRAY_SESSION = "01", "02"
_START = {PHY_SESSION: "2024-05-06T09:00:00+00:00", ARRAY_SESSION: "2024-05-07T09:00:00+00:00"}


def write_it_sorts(
    folder: Path,
    world_folder: Path,
    options: SimulatedITSortsOptions,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Write both sessions of all animals.

    Parameters
    ----------
    folder : Path
        Existing folder to write into: ``sub-X/ses-01/phy``, ``sub-X/ses-02/spikes.npz``,
        ``sub-X/ses-YY/events.tsv``, ``sessions.json``, ``electrodes.json`` and
        ``planted_rates.npz``.
    world_folder : Path
        As written by ``write_world``.
    options : SimulatedITSortsOptions
        Cells, stimuli, repeats and electrodes.
    progress : callable, optional
        Called with a sentence after each session.

    Raises
    ------
    InputError
        If the world has fewer objects than asked for, or the recording is too short.
    """
    stimuli, latent = _read_objects(world_folder)
    if len(stimuli) < options.n_stimuli:
        raise InputError(
            "the world has fewer objects than the recording shows",
            expected=f"at least {options.n_stimuli}",
            found=len(stimuli),
            remedy="Lower simulation.n_stimuli.",
        )
    chosen = derive_generator(options.seed, "sorts-stimuli").permutation(len(stimuli))
    shown = {
        PHY_SESSION: np.repeat(np.sort(chosen[: options.n_stimuli]), options.repeats),
        ARRAY_SESSION: np.repeat(np.sort(chosen[: options.n_array_stimuli]), options.array_repeats),
    }
    sessions: list[SortSessionOptions] = []
    recordings: list[PlannedRecording] = []
    planted: dict[str, np.ndarray] = {}
    for subject in options.subjects:
        recording = SimulatedITOptions(
            seed=options.seed, subjects={subject: options.subjects[subject]}, invalid_share=0.0
        )
        population = draw_population(recording, subject)
        evoked = compute_evoked_rate(population, latent)
        for session, presentations in shown.items():
            plan = plan_session(recording, subject, session, presentations)
            noise = draw_session_noise(recording, population, subject, session, plan.valid)
            trains = draw_spike_trains(
                recording,
                population,
                evoked,
                plan,
                noise.gain,
                derive_generator(options.seed, "spikes", subject, session),
            )
            home = folder / f"sub-{subject}" / f"ses-{session}"
            home.mkdir(parents=True)
            names = stimuli["stimulus"].to_numpy(dtype=str)
            _write_events(home / "events.tsv", plan, names, recording.stimulus_on_s)
            if session == PHY_SESSION:
                sessions.append(_write_phy(home, subject, trains, options))
            else:
                _check_duration(plan, options.electrodes)
                name = f"sub-{subject}/ses-{session}"
                write_planted_spikes(home / "spikes.npz", population.unit.tolist(), trains)
                recordings.append(
                    PlannedRecording(
                        name=name,
                        spikes=f"{name}/spikes.npz",
                        plan=options.electrodes,
                        seed=options.seed,
                    )
                )
                sessions.append(describe_array_session(subject, session, options.electrodes, "IT"))
            if progress is not None:
                progress(f"{subject} session {session}: {len(plan.stimulus)} trials")
        share = compute_window_share(
            make_profile(recording.stimulus_on_s), population.latency, WINDOW_S
        )
        planted[subject] = population.spontaneous_rate + evoked * share
    write_sessions(folder, sessions)
    write_electrode_plan(folder, recordings)
    write_planted_rates(folder, stimuli["stimulus"].to_numpy(dtype=str), planted)


def describe_array_session(
    subject: str, session: str, electrodes: ElectrodePlan, area: str
) -> SortSessionOptions:
    """Describe a session of simulated electrodes as the sorting stage reads it."""
    home = f"sub-{subject}/ses-{session}"
    return SortSessionOptions(
        subject=subject,
        session=session,
        format="binary",
        folder=f"${{ELECTRODES}}/{home}/recording.bin",
        probe=f"${{ELECTRODES}}/{home}/probe.json",
        truth=f"${{ELECTRODES}}/{home}/truth.npz",
        events=f"${{RECORDING}}/{home}/events.tsv",
        duration_column="duration",
        sampling_rate_hz=electrodes.sampling_rate_hz,
        duration_s=electrodes.duration_s,
        gain_uv=0.195,
        area=area,
        start_time=_START[session],
    )


def write_sessions(folder: Path, sessions: list[SortSessionOptions]) -> None:
    """Write what the sorting stage shall read."""
    content = [one.model_dump(mode="json", exclude_unset=True) for one in sessions]
    (folder / SESSIONS_FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _read_objects(world_folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    stimuli = read_table(world_folder, "stimuli")
    stimuli = stimuli[stimuli["kind"] == "object"].reset_index(drop=True)
    with np.load(world_folder / "truth.npz") as truth:
        row_of = {str(name): row for row, name in enumerate(truth["stimulus"])}
        return stimuli, truth["latent"][[row_of[name] for name in stimuli["stimulus"]]]


def _write_events(path: Path, plan: SessionPlan, stimulus: np.ndarray, on_s: float) -> None:
    table = pd.DataFrame(
        {
            "onset": plan.photodiode_onset,
            "duration": on_s,
            "stimulus": stimulus[plan.stimulus],
        }
    )
    table.to_csv(path, sep="\t", index=False)


def _write_phy(
    home: Path, subject: str, trains: list[np.ndarray], options: SimulatedITSortsOptions
) -> SortSessionOptions:
    generator = derive_generator(options.seed, "phy", subject)
    last = max(float(times[-1]) for times in trains if len(times))
    noise = np.sort(generator.uniform(0, last, generator.poisson(NOISE_RATE_HZ * last)))
    is_good = generator.random(len(trains)) < GOOD_SHARE
    group = [*("good" if good else "mua" for good in is_good), "noise"]
    write_phy_folder(
        home / "phy",
        [*(drop_impossible_spikes(times) for times in trains), noise],
        group,
        options.electrodes.place_contacts(),
        generator,
        PHY_RATE_HZ,
    )
    folder = f"${{RECORDING}}/sub-{subject}/ses-{PHY_SESSION}"
    return SortSessionOptions(
        subject=subject,
        session=PHY_SESSION,
        format="phy",
        folder=f"{folder}/phy",
        events=f"{folder}/events.tsv",
        duration_column="duration",
        area="IT",
        start_time=_START[PHY_SESSION],
    )


def _check_duration(plan: SessionPlan, electrodes: ElectrodePlan) -> None:
    needed = float(plan.photodiode_onset[-1]) + 0.2
    if needed > electrodes.duration_s:
        raise InputError(
            "the raw recording ends before its last stimulus",
            where="simulation.electrodes.duration_s",
            expected=f"at least {needed:.1f} s",
            found=f"{electrodes.duration_s:g} s",
            remedy="Lengthen it, or lower n_array_stimuli or array_repeats.",
        )
