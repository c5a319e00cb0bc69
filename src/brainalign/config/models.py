"""The whole configuration of an experiment, composed of the options of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field, ValidationError, create_model, field_validator, model_validator
from pydantic_core import InitErrorDetails

from brainalign.evaluation.comparison.options import ComparisonOptions
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.yardsticks.options import YardstickOptions
from brainalign.features.options import BackboneOptions
from brainalign.methods.image_prior.options import ImagePriorOptions
from brainalign.methods.registry import METHODS, get_method_options
from brainalign.methods.requirements import NO_BACKBONE, Requirements
from brainalign.options import Options, suggest_name
from brainalign.raw.names import Name
from brainalign.raw.options import DatasetOptions
from brainalign.raw.simulate.options import WorldOptions
from brainalign.stores.block_options import ArrayOptions
from brainalign.training.tracking_options import TrackingOptions

_METHOD_DESCRIPTION = (
    "Name of the method in the registry; may be left out where the entry has that name."
)


def _build_choice(name: str) -> type[Options]:
    """Extend the options of a method by the key that chooses it."""
    base = get_method_options(name)
    return create_model(
        f"{base.__name__}_{name}",
        __base__=base,
        __doc__=base.__doc__,
        # A Literal of a run-time name is beyond static types.
        method=(Literal[name], Field(description=_METHOD_DESCRIPTION)),  # type: ignore[arg-type]
    )


METHOD_CHOICES: dict[str, type[Options]] = {name: _build_choice(name) for name in METHODS}

if TYPE_CHECKING:
    MethodOptions = Options
else:
    # The union of whatever the registry holds; static types see its base.
    MethodOptions = Annotated[
        Union[tuple(METHOD_CHOICES.values())],  # noqa: UP007
        Field(discriminator="method"),
    ]


class Experiment(Options):
    """One row of the plan: every data set with every backbone and every method."""

    datasets: list[Name] = Field(description="Names of data sets above.", min_length=1)
    backbones: list[Name] = Field(
        [],
        description="Names of backbones above; empty: responses only, or methods that read no "
        "features.",
    )
    methods: list[Name] = Field([], description="Names of methods above; empty: no model.")


class Config(Options):
    """An experiment: what is recorded, what reads the stimuli, what is fitted, what is scored."""

    results: str = Field(
        "results", description="Folder that every stage writes into.", min_length=1
    )
    seeds: list[Annotated[int, Field(ge=0)]] = Field(
        [0, 1, 2], description="Seeds of the fits; each is a fit of its own.", min_length=1
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where torch computes; auto: a GPU where there is one."
    )
    world: WorldOptions = Field(
        WorldOptions(), description="The simulated world's stimuli, shared by its recordings."
    )
    datasets: dict[Name, DatasetOptions] = Field(
        {}, description="Recordings by name; the name becomes part of result paths."
    )
    backbones: dict[Name, BackboneOptions] = Field(
        {}, description="Models and layers that read the stimuli, by name."
    )
    image_priors: dict[Name, ImagePriorOptions] = Field(
        {}, description="Diffusion models of stimulus images, by name; methods choose one."
    )
    methods: dict[Name, MethodOptions] = Field(
        {},
        description="Alignment methods by name. An entry without the key method is the method of "
        "its own name.",
    )
    experiments: list[Experiment] = Field(
        [], description="What is run: rows of data sets x backbones x methods."
    )
    tracking: TrackingOptions = Field(
        TrackingOptions(), description="Trackers of fits beside training.csv."
    )
    arrays: ArrayOptions = Field(
        ArrayOptions(), description="Work on arrays that exceed memory (brainalign encode)."
    )
    evaluation: EvaluationOptions = Field(EvaluationOptions(), description="Metrics and intervals.")
    comparison: ComparisonOptions = Field(
        ComparisonOptions(), description="Paired differences between methods and their tests."
    )
    yardsticks: YardstickOptions = Field(
        YardstickOptions(), description="Common yardsticks of all backbones."
    )

    @field_validator("methods", mode="before")
    @classmethod
    def _name_methods(cls, methods: Any) -> Any:
        if not isinstance(methods, dict):
            return methods
        return {
            name: {"method": name, **entry}
            if isinstance(entry, dict) and name in METHODS
            else entry
            for name, entry in methods.items()
        }

    @field_validator("methods")
    @classmethod
    def _check_method_names(cls, methods: dict[str, Any]) -> dict[str, Any]:
        if "yardstick" in methods:
            raise ValueError("'yardstick' names the common yardsticks; choose another name")
        return methods

    @field_validator("backbones")
    @classmethod
    def _check_backbone_names(cls, backbones: dict[str, Any]) -> dict[str, Any]:
        if NO_BACKBONE in backbones:
            raise ValueError(f"'{NO_BACKBONE}' stands for no backbone; choose another name")
        return backbones

    @field_validator("seeds")
    @classmethod
    def _check_seeds(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) != len(seeds):
            raise ValueError(f"a seed stands twice in {seeds}")
        return seeds

    @model_validator(mode="after")
    def _check_names(self) -> Config:
        """Refuse experiments that name what is not defined, all of them at once."""
        problems: list[InitErrorDetails] = []
        for row, experiment in enumerate(self.experiments):
            for kind in ("datasets", "backbones", "methods"):
                known = getattr(self, kind)
                for position, name in enumerate(getattr(experiment, kind)):
                    if name not in known:
                        problem = f"'{name}' is not defined under {kind}. "
                        place = ("experiments", row, kind, position)
                        problems.append(_locate(problem + suggest_name(name, known), place, name))
        for name, method in self.methods.items():
            for key in ("image_prior", "conditional_prior"):
                prior = getattr(method, key, None)
                if prior is not None and prior not in self.image_priors:
                    problem = f"'{prior}' is not defined under image_priors. "
                    problem += suggest_name(prior, self.image_priors)
                    problems.append(_locate(problem, ("methods", name, key), prior))
        for row, experiment in enumerate(self.experiments):
            reading = [name for name in experiment.methods if self._reads_features(name)]
            if reading and not experiment.backbones:
                problem = "has methods but no backbones"
                problems.append(_locate(problem, ("experiments", row), reading))
        if problems:
            raise ValidationError.from_exception_data("Config", problems)
        return self

    def _reads_features(self, method: str) -> bool:
        """Tell whether a method needs a backbone; unknown ones are another problem."""
        requirements = getattr(self.methods.get(method), "requirements", None)
        return not isinstance(requirements, Requirements) or requirements.needs_backbone


def _locate(problem: str, place: tuple[str | int, ...], found: object) -> InitErrorDetails:
    """Describe a problem that lies deeper than the validator that finds it."""
    context = {"error": ValueError(problem)}
    return {"type": "value_error", "loc": place, "input": found, "ctx": context}
