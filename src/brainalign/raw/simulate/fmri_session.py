"""What a simulated subject sees in which run, and how the head moves meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainalign.errors import InputError

from .fmri_options import FMRIScannerOptions, SimulatedFMRIOptions
from .streams import derive_generator

LEAD_VOLUMES = 3  # before the first trial
TAIL_S = 16.0  # after the last one, for the BOLD response to end


@dataclass(frozen=True)
class RunPlan:
    """One run: when which stimulus appears.

    Parameters
    ----------
    run : str
        Number of the run, two digits.
    stimulus : array of shape (n_trials,) of str
        Shown stimuli in order; blank trials are left out.
    onset_s : array of shape (n_trials,)
        Onsets in s after the start of the first volume.
    n_volumes : int
        Length of the scan.
    """

    run: str
    stimulus: np.ndarray
    onset_s: np.ndarray
    n_volumes: int


def divide_fmri_stimuli(
    stimuli: pd.DataFrame, options: SimulatedFMRIOptions
) -> dict[str, dict[str, int]]:
    """Decide how often each subject sees each picture.

    Parameters
    ----------
    stimuli : pandas.DataFrame
        Columns ``stimulus``, ``kind`` (object or scene) and ``split``.
    options : SimulatedFMRIOptions
        Subjects, repeats and shares.

    Returns
    -------
    repeats : dict of str to dict of str to int
        Per subject, presentations by stimulus. Test and validation pictures are the same for all
        subjects; a training picture is seen by all or by one.

    Raises
    ------
    InputError
        If the world has no test stimuli.
    """
    generator = derive_generator(options.seed, "fmri-division")
    subjects = sorted(options.subjects)
    chosen = {
        (kind, split): stimuli["stimulus"][
            (stimuli["kind"] == kind) & (stimuli["split"] == split)
        ].tolist()
        for kind in ("object", "scene")
        for split in ("train", "validation", "test")
    }
    tests = chosen["object", "test"] + chosen["scene", "test"]
    if not tests:
        raise InputError("the world holds no test stimuli", remedy="Simulate a larger world.")
    scenes = [str(name) for name in generator.permutation(chosen["scene", "train"])]
    objects = [str(name) for name in generator.permutation(chosen["object", "train"])]
    n_shared_scenes = round(options.shared_share * len(scenes))
    n_shared_objects = min(options.shared_objects, len(objects))
    shared = dict.fromkeys(tests, options.test_repeats)
    shared |= dict.fromkeys(chosen["object", "validation"] + chosen["scene", "validation"], 1)
    shared |= dict.fromkeys(scenes[:n_shared_scenes], options.scene_repeats)
    shared |= dict.fromkeys(objects[:n_shared_objects], 1)
    repeats = {}
    for number, subject in enumerate(subjects):
        own_scenes = scenes[n_shared_scenes + number :: len(subjects)]
        own_objects = objects[n_shared_objects + number :: len(subjects)][: options.own_objects]
        repeats[subject] = {
            **shared,
            **dict.fromkeys(own_scenes, options.scene_repeats),
            **dict.fromkeys(own_objects, 1),
        }
    return repeats


def plan_runs(
    options: SimulatedFMRIOptions, subject: str, repeats: dict[str, int]
) -> list[RunPlan]:
    """Deal the presentations of one subject to runs, repeats to different runs where possible."""
    generator = derive_generator(options.seed, "fmri-order", subject)
    names = np.array(sorted(repeats))
    # Repeats follow each other in the deck, so dealing it round by round parts them.
    deck = np.repeat(names, [repeats[name] for name in names])[
        np.argsort(np.repeat(generator.permutation(len(names)), [repeats[n] for n in names]))
    ]
    plans = []
    for number in range(options.n_runs):
        trials = generator.permutation(deck[number :: options.n_runs])
        n_slots = round(len(trials) / (1 - options.blank_share))
        slots = np.sort(generator.choice(n_slots, len(trials), replace=False))
        lead = LEAD_VOLUMES * options.tr_s
        onset = lead + slots * options.trial_s
        duration = lead + n_slots * options.trial_s + TAIL_S
        plans.append(
            RunPlan(
                run=f"{number + 1:02d}",
                stimulus=trials,
                onset_s=onset,
                n_volumes=int(np.ceil(duration / options.tr_s)),
            )
        )
    return plans


def draw_motion(options: FMRIScannerOptions, subject: str, run: str, n_volumes: int) -> np.ndarray:
    """Draw slow head motion.

    Returns
    -------
    motion : array of shape (n_volumes, 6)
        Translations in mm and rotations in rad about x, y and z, 0 in the first volume; a random
        walk that is drawn back to its start.
    """
    generator = derive_generator(options.seed, "fmri-motion", subject, run)
    steps = generator.standard_normal((n_volumes, 6))
    motion = np.zeros((n_volumes, 6))
    pull = 0.97
    for volume in range(1, n_volumes):
        motion[volume] = pull * motion[volume - 1] + np.sqrt(1 - pull**2) * steps[volume]
    scale = [options.noise.motion_mm] * 3 + [np.deg2rad(options.noise.motion_deg)] * 3
    return motion * scale
