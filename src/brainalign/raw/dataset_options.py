"""The base of the options of every data set (a light module)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from brainalign.options import Options


class RecordedDataset(Options):
    """What every data set declares of itself, so that the workflow knows which jobs it needs."""

    modality: ClassVar[Literal["spikes", "spike_rates", "fmri", "fmri_responses"]]
    """``spike_rates``, ``fmri_responses``: responses of sites or voxels that others estimated."""
    design: ClassVar[Literal["images", "movies"]]
    is_simulated: ClassVar[bool] = False
    is_sorted: ClassVar[bool] = False
    """Whether the workflow sorts or curates spikes, in the sorting environment."""
    has_electrodes: ClassVar[bool] = False
    """Whether simulated electrodes record planted spikes before sorting."""
    has_responses: ClassVar[bool] = True
    """Whether responses are built; else the recording ends with its sorted units."""

    def get_simulation(self) -> Any:
        """Give the options ``simulation`` of a simulated data set; None for other recordings."""
        return getattr(self, "simulation", None)

    def list_simulated_subjects(self) -> list[str]:
        """List the subjects that will be simulated, sorted; none for recordings of others."""
        return sorted(self.get_simulation().subjects) if self.is_simulated else []

    def knows_labels(self) -> bool | None:
        """Tell whether stimuli have labels; None where only their table can tell."""
        return True if self.is_simulated else None

    def describe_responses(self) -> dict[str, Any]:
        """Describe what methods must know of the responses: normalisation and areas of images.

        Movies have neither: their responses are counts, which methods take as rates.
        """
        responses = getattr(self, "responses", None)
        names = ("normalisation", "by_area")
        return {name: getattr(responses, name) for name in names if hasattr(responses, name)}
