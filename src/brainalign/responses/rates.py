"""Assemble the response store of one subject from published responses of spiking sites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import xarray as xr

from brainalign.raw.recording import RateSession
from brainalign.responses.build import (
    CountedSession,
    compose_image_responses,
    describe_responses,
)
from brainalign.responses.options import SpikeResponseOptions
from brainalign.stimuli.read import StimulusSplits


class RateRecording(Protocol):
    """A data set whose publishers have counted spikes."""

    def read_sessions(self, subject: str) -> Iterator[RateSession]:
        """Read the sessions of one subject, one at a time."""


def build_rate_responses(
    dataset: RateRecording,
    subject: str,
    options: SpikeResponseOptions,
    splits: StimulusSplits | None,
) -> xr.Dataset:
    """Build the responses of one subject of a data set of published responses to images.

    Parameters
    ----------
    dataset : RateRecording
        Gives the sessions of the subject.
    subject : str
        Id of the subject.
    options : SpikeResponseOptions
        Normalisation and reliability; the window is that of the published responses.
    splits : StimulusSplits or None
        Training stimuli per fold.

    Returns
    -------
    responses : xarray.Dataset
        Contract ``responses``, image design, as `build_spike_responses` gives it.
    """
    counted = [
        CountedSession(
            session.response,
            session.presentations[["stimulus", "onset_s"]].assign(session=session.session),
            session.units,
        )
        for session in dataset.read_sessions(subject)
    ]
    responses = compose_image_responses(counted, options, splits)
    responses.attrs["window_ms"] = options.window_ms
    describe_responses(
        responses, f"published response from {options.window_ms} ms after onset", "1"
    )
    return responses
