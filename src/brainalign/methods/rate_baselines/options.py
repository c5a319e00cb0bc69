"""Options of the baselines of rate prediction; imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from brainalign.methods.movies.options import MovieOptions
from brainalign.methods.presets import Presets, fill_from_preset
from brainalign.methods.requirements import Requirements
from brainalign.training.options import TrainingOptions

RATE_REQUIREMENTS = Requirements(
    design="movies", subjects="one", predictions=("response",), modalities=("spikes",)
)


class MeanRateOptions(MovieOptions):
    """The mean rate of each cell: the floor, whose correlation is undefined."""

    requirements: ClassVar[Requirements] = RATE_REQUIREMENTS


class FieldOptions(MovieOptions):
    """Luminance under the receptive field over the last frames."""

    requirements: ClassVar[Requirements] = RATE_REQUIREMENTS

    n_lags: int = Field(
        default=18, ge=1, description="Frames of history, the present frame included."
    )
    scales: list[Annotated[float, Field(gt=0)]] = Field(
        default=[8 / 360, 25 / 360],
        min_length=1,
        description=(
            "Standard deviations of the Gaussians that read the luminance at the centre of the "
            "receptive field, in frame widths."
        ),
    )


class LinearNonlinearOptions(FieldOptions):
    """Ridge filter over space and time, then a static non-linearity, for each cell."""

    field: Literal["rf", "full"] = Field(
        default="rf",
        description="What the filter sees: the receptive field, or all patches of the frame.",
    )
    penalty: float | None = Field(
        default=None,
        gt=0,
        description=(
            "Penalty on squared weights of z-scored columns; null: 100 for rf, 3000 for full."
        ),
    )
    n_bins: int | None = Field(
        default=12,
        ge=2,
        description="Quantile bins of the static non-linearity; null: linear output.",
    )
    grid: int = Field(default=10, ge=1, description="Patches along each side for field: full.")


class GLMOptions(FieldOptions):
    """Poisson regression on luminance under the receptive field and on the cell's own spikes."""

    link: Literal["softplus", "exp"] = Field(
        default="softplus", description="From the linear sum to the rate."
    )
    penalties: list[Annotated[float, Field(gt=0)]] = Field(
        default=[10.0, 100.0, 1000.0],
        min_length=1,
        description="Penalties on squared weights; the validation split chooses, for each cell.",
    )
    n_iterations: int = Field(default=25, ge=1, description="Largest number of Newton steps.")
    history: bool = Field(
        default=True,
        description=(
            "Fit single trials with the cell's own earlier spikes and predict the mean rate of "
            "simulated trials; false: fit the mean over trials, without a history of spikes."
        ),
    )
    history_frames: int = Field(
        default=9, ge=2, description="Earlier frames whose spikes count; the present one does not."
    )
    history_functions: int = Field(
        default=4,
        ge=2,
        description="Raised cosines over the logarithm of the lag that make up the history filter.",
    )
    n_simulated_trials: int = Field(
        default=50, ge=1, description="Trials whose rates are averaged in a prediction."
    )

    @model_validator(mode="after")
    def _check_history(self) -> GLMOptions:
        if self.history_functions > self.history_frames:
            raise ValueError("history_functions must not be more than history_frames")
        return self


class FeatureRidgeOptions(MovieOptions):
    """Ridge from a backbone's tokens under the receptive field: what is in the prior by itself."""

    requirements: ClassVar[Requirements] = RATE_REQUIREMENTS

    n_lags: int = Field(
        default=9, ge=1, description="Steps of history, the present frame included."
    )
    lag_step: int = Field(default=2, ge=1, description="Frames between two steps of history.")
    n_components: int = Field(
        default=16, ge=1, description="Principal components of the tokens that are kept."
    )
    alphas: list[Annotated[float, Field(gt=0)]] = Field(
        default=[10.0, 100.0, 1e3, 1e4, 1e5],
        min_length=1,
        description="Penalties to choose from on the validation split, for each cell.",
    )


class MovieCNNOptions(MovieOptions, TrainingOptions):
    """Two convolutions over the last frames and a dense layer, trained on the Poisson loss.

    After McIntosh et al. (2016) and the network of the authors of Vi-ST. The defaults of the
    fields are the preset ``small``.
    """

    requirements: ClassVar[Requirements] = RATE_REQUIREMENTS
    presets: ClassVar[Presets] = {
        "small": {"epochs": 12, "batch_size": 64, "patience": 4, "learning_rate": 3e-3},
        "paper": {
            "epochs": 100,
            "batch_size": 64,
            "patience": 20,
            "frame_side": 90,
            "n_lags": 20,
            "channels": [128, 64],
            "kernels": [25, 11],
            "stride": 1,
        },
    }

    preset: Literal["small", "paper"] = Field(
        default="small",
        description="Where the values that are not given come from: a minute on a CPU, or the "
        "published sizes.",
    )
    frame_side: int = Field(
        default=30, ge=4, description="Pixels along each side to which frames are averaged."
    )
    n_lags: int = Field(
        default=12, ge=1, description="Frames of history, the present frame included."
    )
    channels: list[Annotated[int, Field(ge=1)]] = Field(
        default=[8, 16], min_length=1, description="Channels of each convolution."
    )
    kernels: list[Annotated[int, Field(ge=1)]] = Field(
        default=[7, 5], min_length=1, description="Side of each convolution's kernel in pixels."
    )
    stride: int = Field(
        default=2, ge=1, description="Pixels between two places of the first kernel."
    )
    noise: float = Field(
        default=0.1, ge=0, description="SD of the Gaussian noise before each rectification."
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: Any) -> Any:
        return fill_from_preset(given, cls.presets, default="small")

    @model_validator(mode="after")
    def _check_layers(self) -> MovieCNNOptions:
        if len(self.channels) != len(self.kernels):
            raise ValueError("channels and kernels need one number per convolution each")
        return self
