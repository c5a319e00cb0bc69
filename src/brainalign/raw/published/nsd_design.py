"""Which picture each trial of the Natural Scenes Dataset showed.

``nsddata/experiments/nsd/nsd_expdesign.mat`` holds (NSD Data Manual, page Experiments; all counts
from 1): ``masterordering (1, 30000)``, the number from 1 to 10000 of each trial's picture within
the subject's pictures; ``subjectim (8, 10000)``, their numbers within all 73000; ``sharedix
(1, 1000)``, the numbers of those that all subjects see; ``stimpattern (40, 12, 75)``, 1 for the
4-s trials of each session and run that show a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.io

from brainalign.errors import CorruptDataError

TRIAL_S = 4.0


@dataclass(frozen=True)
class NSDDesign:
    """The design of the experiment.

    Parameters
    ----------
    order : array of shape (n_trials,), int
        Position of each trial's picture in the row of `pictures`, from 0.
    pictures : array of shape (n_subjects, n_pictures), int
        Pictures of each subject, as ``nsdId``: from 0.
    shared : array of shape (n_shared,), int
        Pictures that all subjects see, as ``nsdId``.
    shows_picture : array of shape (n_sessions, n_runs, n_slots), bool
        Slots of 4 s in which a picture is shown.
    path : Path
        File, for messages.
    """

    order: np.ndarray
    pictures: np.ndarray
    shared: np.ndarray
    shows_picture: np.ndarray
    path: Path

    def list_presentations(self, subject: int, session: int) -> pd.DataFrame:
        """List the trials of one session.

        Parameters
        ----------
        subject, session : int
            From 0.

        Returns
        -------
        presentations : pandas.DataFrame
            ``nsd_id`` (from 0), ``run`` (from 1) and ``onset_s`` after the start of the run, in
            the order of the betas.
        """
        per_session = self.shows_picture.sum(axis=(1, 2))
        first = int(per_session[:session].sum())
        run, slot = np.nonzero(self.shows_picture[session])
        order = self.order[first : first + len(run)]
        return pd.DataFrame(
            {
                "nsd_id": self.pictures[subject][order],
                "run": run + 1,
                "onset_s": slot * TRIAL_S,
            }
        )


def read_design(path: Path, n_stimuli: int | None = None) -> NSDDesign:
    """Read ``nsd_expdesign.mat``.

    Parameters
    ----------
    path : Path
        The file, which exists.
    n_stimuli : int, optional
        Pictures that there are, to check numbers against.

    Raises
    ------
    CorruptDataError
        If it is no such file, or its parts contradict each other.
    """
    try:
        content = scipy.io.loadmat(path)
        order = content["masterordering"].ravel().astype(np.int64) - 1
        pictures = np.atleast_2d(content["subjectim"]).astype(np.int64) - 1
        shared = content["sharedix"].ravel().astype(np.int64) - 1
        pattern = np.asarray(content["stimpattern"])
    except (ValueError, KeyError, OSError, TypeError, NotImplementedError) as error:
        raise CorruptDataError(
            "cannot be read as NSD's design",
            where=path,
            expected="masterordering, subjectim, sharedix and stimpattern",
            found=str(error),
            remedy="Copy the file again.",
        ) from error
    if pattern.ndim != 3 or int((pattern > 0).sum()) != len(order):
        raise CorruptDataError(
            "stimpattern and masterordering differ in their number of trials",
            where=path,
            expected=f"{len(order)} trials",
            found=int((pattern > 0).sum()),
        )
    outside = (order < 0).any() or order.max() >= pictures.shape[1] or (pictures < 0).any()
    if outside or (n_stimuli is not None and pictures.max() >= n_stimuli):
        raise CorruptDataError("a trial shows a picture that there is not", where=path)
    return NSDDesign(order, pictures, shared, pattern > 0, path)
