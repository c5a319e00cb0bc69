"""What every data set of NWB files asks for, whatever was shown (a light module)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from brainalign.raw.dataset_options import RecordedDataset
from brainalign.raw.names import Name


class NWBFolder(RecordedDataset):
    """A folder of NWB files, and the columns of their tables that all designs share."""

    folder: str = Field(
        description="Folder of NWB files, named or foldered sub-<subject>_ses-<session>*.nwb as "
        "DANDI does; ${VARIABLES} of the environment are filled in.",
        min_length=1,
    )
    subjects: list[Name] | None = Field(
        None, description="Subjects to use; empty: all that are found."
    )
    onset_column: str = Field(
        "start_time", description="Column of the trials table with the stimulus onset in s."
    )
    valid_column: str | None = Field(
        None, description="Column of the trials table that is true for trials to keep."
    )
    unsorted_spikes: Literal["refuse", "sort"] = Field(
        "refuse",
        description="What to do with spike times of a unit that are out of order: refuse, since "
        "they can mean that two units or two clocks were joined, or sort.",
    )
    unit_column: str | None = Field(
        None,
        description="Column of the units table with an id that is the same in all sessions; "
        "empty: units of different sessions are different units.",
    )
    area_column: str | None = Field(
        None,
        description="Column of the units table with the area; empty: the electrodes' location.",
    )
