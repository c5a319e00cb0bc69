"""Which data sets there are, and how the raw files of each are found (a light module)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from brainalign.raw.cc2017_options import CC2017Options
from brainalign.raw.dandi_number import check_number
from brainalign.raw.dataset_options import RecordedDataset as RecordedDataset
from brainalign.raw.fmri_options import (
    BIDSDataset,
    BIDSMoviesDataset,
    SimulatedFMRIDataset,
    SimulatedFMRIMovieDataset,
)
from brainalign.raw.names import Name
from brainalign.raw.nwb_options import NWBFolder
from brainalign.raw.published.options import HCPMoviesDataset, NSDDataset
from brainalign.raw.simulate.options import SimulatedITOptions
from brainalign.raw.simulate.retina_options import SimulatedRetinaOptions
from brainalign.raw.simulate.sort_options import (
    SimulatedITSortsOptions,
    SimulatedRetinaArrayOptions,
)
from brainalign.responses.options import (
    FlashedImageResponseOptions,
    MovieResponseOptions,
    SpikeResponseOptions,
)
from brainalign.sorting.options import (
    RetinaSortingOptions,
    SortingOptions,
    SortSessionOptions,
)
from brainalign.stimuli.options import (
    MovieStimuliOptions,
    SmallSetStimuliOptions,
    StimuliOptions,
)


class SpikeDatasetOptions(RecordedDataset):
    """What every data set of spikes and images has."""

    modality: ClassVar[Literal["spikes", "spike_rates"]] = "spikes"
    design = "images"

    stimuli: StimuliOptions = Field(StimuliOptions(), description="Decoding and split of stimuli.")
    responses: SpikeResponseOptions = Field(
        SpikeResponseOptions(), description="From spikes to responses."
    )


class SimulatedITDataset(SpikeDatasetOptions):
    """Macaque IT in the simulated world: NWB files with planted tuning."""

    is_simulated = True

    kind: Literal["simulated_it"] = Field(description="Discriminates the data sets.")
    simulation: SimulatedITOptions = Field(
        SimulatedITOptions(), description="What is planted and recorded."
    )


class NWBDataset(NWBFolder, SpikeDatasetOptions):
    """Your own NWB files: units, trials and, where they are, stimulus images."""

    kind: Literal["nwb"] = Field(description="Discriminates the data sets.")
    dandiset: Annotated[str, AfterValidator(check_number)] | None = Field(
        None,
        description="Number of a data set of the DANDI archive, six digits in quotes: folder is "
        "then where it was downloaded to, and nothing else below that folder is read.",
    )
    stimuli_table: str | None = Field(
        None,
        description="A tab-separated table with at least the columns stimulus and file (relative "
        "to the table), and optionally sha256, split, category, caption, labels and factors; "
        "needed where the NWB files hold no images. With category or labels, file may be left "
        "out: methods that need no images run then.",
    )
    stimulus_columns: list[str] = Field(
        ["stimulus"],
        description="Columns of the trials table that name the stimulus; several are joined "
        "with '_'.",
        min_length=1,
    )


class Onken2016Options(SpikeDatasetOptions):
    """Salamander retinal ganglion cells and flashed natural images (Onken et al. 2016)."""

    kind: Literal["onken2016_salamander"] = Field(description="Discriminates the data sets.")
    folder: str = Field(
        description="Folder of the published package (holds NeuralData and Stimuli); "
        "${VARIABLES} of the environment are filled in.",
        min_length=1,
    )
    experiments: list[Literal["1", "2"]] = Field(
        ["1"], description="Experiments to use; each retina is a subject.", min_length=1
    )
    stimuli: SmallSetStimuliOptions = Field(
        SmallSetStimuliOptions(), description="Decoding and split of stimuli."
    )
    responses: FlashedImageResponseOptions = Field(
        FlashedImageResponseOptions(), description="From spikes to responses."
    )

    def knows_labels(self) -> bool:
        """Tell whether stimuli have labels: the published images come without."""
        return False


class MajajHong2015Options(SpikeDatasetOptions):
    """Macaque IT and V4 of Majaj, Hong et al. (2015), public part as Brain-Score publishes it."""

    modality = "spike_rates"

    kind: Literal["majajhong2015"] = Field(description="Discriminates the data sets.")
    folder: str = Field(
        description="Folder of the three published files; ${VARIABLES} of the environment are "
        "filled in.",
        min_length=1,
    )
    assembly: str = Field(
        "assy_dicarlo_MajajHong2015_public.nc",
        description="File of the folder with the responses.",
        min_length=1,
    )
    stimulus_set: str = Field(
        "stimulus_hvm-public.csv",
        description="File of the folder with what is known of the images.",
        min_length=1,
    )
    images: str = Field(
        "stimulus_hvm-public.zip",
        description="Archive of the images, or a folder that it was unpacked to.",
        min_length=1,
    )
    subjects: list[Name] | None = Field(None, description="Animals to use; empty: all.")
    areas: list[Name] | None = Field(
        ["IT"], description="Areas to use (IT, V4); empty: all.", min_length=1
    )


class MovieDatasetOptions(RecordedDataset):
    """What every data set of spikes and movies has."""

    modality = "spikes"
    design = "movies"

    stimuli: MovieStimuliOptions = Field(
        MovieStimuliOptions(), description="Decoding and split of movies."
    )
    responses: MovieResponseOptions = Field(
        MovieResponseOptions(), description="From spikes to responses and receptive fields."
    )


class SimulatedRetinaDataset(MovieDatasetOptions):
    """Retinal ganglion cells that watch the simulated world's movies: sorted units in NWB."""

    is_simulated = True

    kind: Literal["simulated_retina"] = Field(description="Discriminates the data sets.")
    simulation: SimulatedRetinaOptions = Field(
        SimulatedRetinaOptions(), description="What is planted and recorded."
    )


_MOVIE_TABLES = (
    "Tab-separated tables with the columns movie, path (a folder of frames, or an "
    "npy, npz, TIFF or video file, relative to the table), frame_rate_hz, and optionally "
    "n_frames, timestamps (ignore for videos whose frames were shown one by one) and use "
    "(model, or receptive_field for movies such as white noise). A table "
    "movie_frames.tsv beside it may give movie, frame and split."
)


class NWBMoviesDataset(NWBFolder, MovieDatasetOptions):
    """Your own NWB files with movies: units, trials with the movie, frame triggers or a rate."""

    kind: Literal["nwb_movies"] = Field(description="Discriminates the data sets.")
    movie_tables: list[str] = Field(description=_MOVIE_TABLES, min_length=1)
    movie_column: str = Field("movie", description="Column of the trials table with the movie.")
    frame_triggers: str | None = Field(
        "frame_triggers",
        description="TimeSeries in acquisition whose timestamps are the pulses of the frame "
        "clock in s; empty: frames follow the start at the movie's rate.",
    )


class Onken2016MoviesOptions(MovieDatasetOptions):
    """Salamander retinal ganglion cells and two natural movies (Onken et al. 2016)."""

    kind: Literal["onken2016_movies"] = Field(description="Discriminates the data sets.")
    folder: str = Field(
        description="Folder of the published package (holds NeuralData and Stimuli); "
        "${VARIABLES} of the environment are filled in.",
        min_length=1,
    )
    alignment: str = Field(
        "workflow/datasets/onken2016_alignment.json",
        description="Table that places the recorded windows in the movies, see docs/retina.md.",
        min_length=1,
    )
    experiments: list[Literal["1", "2"]] = Field(
        ["1"], description="Experiments to use; each retina is a subject.", min_length=1
    )


class SessionsToSort(RecordedDataset):
    """Sessions before sorting, whatever was shown."""

    is_sorted = True

    sessions: list[SortSessionOptions] = Field(description="What is sorted.", min_length=1)

    def list_sorted_subjects(self) -> list[str]:
        """List the subjects of all sessions, sorted."""
        return sorted({session.subject for session in self.sessions})


class SpikeSortsDataset(SessionsToSort, SpikeDatasetOptions):
    """Your own spike sorters' folders or raw recordings, with tables of what was shown."""

    kind: Literal["spike_sorts"] = Field(description="Discriminates the data sets.")
    sorting: SortingOptions = Field(SortingOptions(), description="From recordings to units.")
    stimuli_table: str | None = Field(
        None,
        description="A tab-separated table with at least the columns stimulus and file, as for "
        "kind nwb; needed where a backbone sees the images.",
    )


class MovieSortsDataset(SessionsToSort, MovieDatasetOptions):
    """Your own recordings of movies before NWB: raw, sorted, or one file of times per cell."""

    kind: Literal["movie_sorts"] = Field(description="Discriminates the data sets.")
    movie_tables: list[str] = Field(description=_MOVIE_TABLES, min_length=1)
    sorting: RetinaSortingOptions = Field(
        RetinaSortingOptions(), description="From recordings to units."
    )

    @model_validator(mode="after")
    def _check_triggers(self) -> MovieSortsDataset:
        if len({session.frame_triggers is None for session in self.sessions}) > 1:
            raise ValueError("sessions: name frame_triggers for all of them, or for none")
        return self

    @property
    def has_triggers(self) -> bool:
        """Whether pulses of the display's frames were recorded."""
        return self.sessions[0].frame_triggers is not None


class SimulatedITSortsDataset(SpikeDatasetOptions):
    """Macaque IT in the simulated world, before NWB: a Phy folder and a raw recording."""

    is_simulated = True
    is_sorted = True
    has_electrodes = True

    kind: Literal["simulated_it_sorts"] = Field(description="Discriminates the data sets.")
    simulation: SimulatedITSortsOptions = Field(
        SimulatedITSortsOptions(), description="What is planted and recorded."
    )
    sorting: SortingOptions = Field(SortingOptions(), description="From recordings to units.")

    def knows_complete_responses(self) -> bool:
        """Each session has units of its own, which the other's presentations do not reach."""
        return False


class SimulatedRetinaArrayDataset(RecordedDataset):
    """A short raw recording of a simulated retina, to hold sorted units against planted ones."""

    modality = "spikes"
    design = "movies"
    is_simulated = True
    is_sorted = True
    has_electrodes = True
    has_responses = False

    kind: Literal["simulated_retina_array"] = Field(description="Discriminates the data sets.")
    simulation: SimulatedRetinaArrayOptions = Field(
        SimulatedRetinaArrayOptions(), description="What is planted and recorded."
    )
    sorting: RetinaSortingOptions = Field(
        RetinaSortingOptions(), description="From recordings to units."
    )


DatasetOptions = Annotated[
    SimulatedITDataset
    | NWBDataset
    | Onken2016Options
    | MajajHong2015Options
    | SimulatedRetinaDataset
    | NWBMoviesDataset
    | Onken2016MoviesOptions
    | SimulatedFMRIDataset
    | BIDSDataset
    | NSDDataset
    | HCPMoviesDataset
    | SimulatedFMRIMovieDataset
    | BIDSMoviesDataset
    | CC2017Options
    | SpikeSortsDataset
    | MovieSortsDataset
    | SimulatedITSortsDataset
    | SimulatedRetinaArrayDataset,
    Field(discriminator="kind"),
]
