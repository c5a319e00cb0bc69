"""What is sorted, how, and which units are kept (a light module)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from brainalign.options import Options, suggest_name
from brainalign.sorting.formats import FORMATS


class SortSessionOptions(Options):
    """One session: a sorter's folder or a raw recording, and what was shown."""

    subject: str = Field(description="Id of the animal.", pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$")
    session: str = Field(
        description="Id of the session.", pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$"
    )
    format: str = Field(
        description="phy or kilosort (folder of a sorter), binary (raw samples with a probe), nwb "
        "(ElectricalSeries), nwb_sorting (units), spike_times (a folder with one file of times per "
        "unit: .txt, .csv or .npy), or the name of any other SpikeInterface extractor, as in "
        "read_<name>.",
        pattern=r"^[a-z0-9_]+$",
    )
    folder: str = Field(
        description="Folder or file of the recording or sort; ${VARIABLES} of the environment are "
        "filled in.",
        min_length=1,
    )
    events: str = Field(
        description="Tab-separated table of what was shown: an onset column and the id column of "
        "the stimulus (or movie); further columns become columns of the trials.",
        min_length=1,
    )
    onset_column: str = Field("onset", description="Column of the onsets.")
    stimulus_column: str | None = Field(
        None,
        description="Column with the id of what was shown; empty: stimulus, for movies movie.",
    )
    duration_column: str | None = Field(
        None, description="Column with the time a stimulus was on, in s; empty: not known."
    )
    onset_unit: Literal["s", "samples"] = Field(
        "s", description="Unit of onsets and frame triggers: s, or samples of the recording."
    )
    spike_time_unit: Literal["s", "ms"] = Field(
        "s",
        description="Unit of spike times in formats that hold times and no samples "
        "(nwb_sorting, spike_times).",
    )
    area: str = Field("unknown", description="Brain area of the electrodes.", min_length=1)
    probe: str | None = Field(
        None, description="Probe of a binary recording, as ProbeInterface writes it (JSON)."
    )
    sampling_rate_hz: float | None = Field(
        None, description="Samples per second of a binary recording.", gt=0
    )
    n_channels: int | None = Field(
        None, description="Channels of a binary recording; empty: contacts of the probe.", ge=1
    )
    dtype: Literal["int16", "uint16", "int32", "float32"] = Field(
        "int16", description="Type of the samples of a binary recording."
    )
    gain_uv: float = Field(
        1.0, description="Microvolts per step of a binary recording or Phy templates.", gt=0
    )
    duration_s: float | None = Field(
        None,
        description="Length of the recording in s; needed only where no raw samples tell it and "
        "the last spike or event is not near the end.",
        gt=0,
    )
    frame_triggers: str | None = Field(
        None, description="Tab-separated table with a column time: pulses of the display's frames."
    )
    truth: str | None = Field(
        None,
        description="Planted spikes (truth.npz of simulated electrodes), to score the sort with.",
    )
    start_time: str = Field(
        "1970-01-01T00:00:00+00:00",
        description="Start of the session as ISO 8601 with time zone; where privacy or ignorance "
        "forbids it, the default.",
    )

    @field_validator("format")
    @classmethod
    def _check_format(cls, name: str) -> str:
        if name not in FORMATS:
            raise ValueError(f"unknown format '{name}'. {suggest_name(name, FORMATS)}")
        return name


class PreprocessingOptions(Options):
    """What is done to raw recordings before sorting."""

    low_hz: float = Field(300.0, description="Lower edge of the band-pass in Hz.", gt=0)
    high_hz: float = Field(
        6000.0,
        description="Upper edge in Hz; lowered to 45 % of the sampling rate if needed.",
        gt=0,
    )
    reference: Literal["median", "none"] = Field(
        "median", description="Subtract the median over all good channels, or nothing."
    )
    saturated_share: float = Field(
        0.005,
        description="A channel with more than this share of samples at the highest or lowest "
        "value of the type (or of the recording, if they stick there) is bad.",
        gt=0,
        lt=1,
    )
    dead_ratio: float = Field(
        0.1,
        description="A channel whose noise lies below this part of the channels' median is dead.",
        gt=0,
        lt=1,
    )
    noisy_ratio: float = Field(
        5.0,
        description="A channel whose noise lies above this multiple of the median is bad.",
        gt=1,
    )
    max_bad_share: float = Field(
        0.5, description="More bad channels than this share: the recording is refused.", ge=0, lt=1
    )

    @model_validator(mode="after")
    def _check_band(self) -> PreprocessingOptions:
        if self.high_hz <= self.low_hz:
            raise ValueError("high_hz must lie above low_hz")
        return self


class SorterOptions(Options):
    """Which sorter runs; all come with SpikeInterface and need nothing else."""

    name: Literal["spykingcircus2", "simple", "tridesclous2"] = Field(
        "spykingcircus2", description="Name in SpikeInterface."
    )
    parameters: dict[str, Any] = Field(
        {},
        description="Parameters that replace the sorter's defaults; see its documentation.",
    )
    motion_correction: bool = Field(
        False,
        description="Estimate and correct drift of the probe (spykingcircus2); worth it from "
        "minutes of recording and dense probes on.",
    )


class CurationOptions(Options):
    """Which units are kept. A metric that is not known excludes nothing."""

    keep_multi_unit: bool = Field(
        True, description="Keep units of several neurons, with quality mua."
    )
    min_firing_rate_hz: float = Field(0.1, description="Lowest mean rate in Hz.", ge=0)
    min_presence_ratio: float = Field(
        0.5, description="Lowest share of time bins that hold a spike.", ge=0, le=1
    )
    presence_bin_s: float = Field(
        60.0,
        description="Length of these bins in s; shortened so that there are at least ten.",
        gt=0,
    )
    min_snr: float = Field(
        3.0, description="Lowest ratio of the mean waveform's peak to the channel's noise.", ge=0
    )
    max_isi_violation_share: float = Field(
        0.01,
        description="A unit with a larger share of intervals within the refractory period is "
        "multi-unit.",
        ge=0,
        le=1,
    )
    refractory_ms: float = Field(1.5, description="Refractory period in ms.", gt=0)
    trust_labels: bool = Field(
        True,
        description="Take good, mua and noise as a person or sorter has labelled them (Phy); else "
        "only the metrics decide.",
    )


class StrictCurationOptions(CurationOptions):
    """The same for retina recordings, where only single cells are of use."""

    keep_multi_unit: bool = Field(
        False, description="Keep units of several neurons, with quality mua."
    )
    min_snr: float = Field(
        4.0, description="Lowest ratio of the mean waveform's peak to the channel's noise.", ge=0
    )


class SortingOptions(Options):
    """From recordings or sorters' folders to curated units."""

    preprocessing: PreprocessingOptions = Field(
        PreprocessingOptions(), description="Filter, reference and bad channels."
    )
    sorter: SorterOptions = Field(SorterOptions(), description="The spike sorter.")
    curation: CurationOptions = Field(CurationOptions(), description="Which units are kept.")
    unit_identity: Literal["session", "subject"] = Field(
        "session",
        description="Whether equal cluster ids in two sessions are different units (sessions "
        "sorted one by one) or the same unit (sessions sorted together).",
    )
    max_unit_shift_um: float = Field(
        100.0,
        description="With unit_identity subject: a unit whose main electrode lies farther apart "
        "in two sessions is refused as a duplicate id.",
        gt=0,
    )
    unknown_stimuli: Literal["refuse", "drop"] = Field(
        "refuse", description="What to do with events of stimuli that the stimulus table lacks."
    )
    species: str = Field("Macaca mulatta", description="Latin name of the species, for NWB.")
    seed: int = Field(0, description="Seed of what a sorter draws.", ge=0)


class RetinaSortingOptions(SortingOptions):
    """The same with strict curation."""

    curation: StrictCurationOptions = Field(
        StrictCurationOptions(), description="Which units are kept."
    )
    species: str = Field("Ambystoma tigrinum", description="Latin name of the species, for NWB.")
