"""The options that each job uses, and nothing else.

A job is described by the options that its stage reads. The workflow passes them on the command
line and Snakemake remembers them, so a changed option reruns what uses it and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from brainalign.config.models import METHOD_CHOICES, Config
from brainalign.errors import InputError
from brainalign.evaluation.comparison.options import ComparisonOptions
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.yardsticks.options import YardstickOptions
from brainalign.features.options import BackboneOptions, ExtractionOptions
from brainalign.methods.direct.options import RidgeOptions
from brainalign.methods.image_prior.options import ImagePriorOptions
from brainalign.methods.requirements import NO_BACKBONE
from brainalign.options import Options, suggest_name
from brainalign.raw.options import DatasetOptions
from brainalign.raw.simulate.options import WorldOptions
from brainalign.stores.block_options import ArrayOptions
from brainalign.training.tracking_options import TrackingOptions

JobOptions = dict[str, Any]
_Model = TypeVar("_Model")


def _dump(options: Options, exclude: set[str] | None = None) -> JobOptions:
    """Keep what was set: defaults belong to the code, whose digest is watched by itself."""
    return options.model_dump(mode="json", exclude_unset=True, exclude=exclude)


def _look_up(table: Mapping[str, _Model], name: str, kind: str) -> _Model:
    if name not in table:
        raise InputError(f"no {kind} named '{name}'", remedy=suggest_name(name, table))
    return table[name]


def describe_world(config: Config) -> JobOptions:
    """Options of the rule that renders the simulated world."""
    return {"world": _dump(config.world)}


def describe_recording(config: Config, dataset: str) -> JobOptions:
    """Options of the rule that simulates a recording."""
    options = _look_up(config.datasets, dataset, "data set")
    return {"dataset": _dump(options, exclude={"stimuli", "responses", "sorting"})}


def describe_sorting(config: Config, dataset: str) -> JobOptions:
    """Options of the rule that sorts, or reads sorts, and curates units."""
    options = _look_up(config.datasets, dataset, "data set")
    return {"dataset": _dump(options, exclude={"stimuli", "responses", "simulation"})}


def describe_stimuli(config: Config, dataset: str) -> JobOptions:
    """Options of the rule that decodes and splits stimuli."""
    options = _look_up(config.datasets, dataset, "data set")
    return {"dataset": _dump(options, exclude={"responses", "simulation", "sorting"})}


def describe_listing(config: Config, dataset: str) -> JobOptions:
    """Options of the rule that lists the files of a BIDS data set."""
    options = _look_up(config.datasets, dataset, "data set")
    return {"dataset": _dump(options, exclude={"stimuli", "responses", "simulation"})}


def describe_preprocessing(config: Config, dataset: str) -> JobOptions:
    """Options of the rules that preprocess volumes."""
    return describe_listing(config, dataset)


def describe_responses(config: Config, dataset: str) -> JobOptions:
    """Options of the rule that turns a recording into responses."""
    options = _look_up(config.datasets, dataset, "data set")
    return {"dataset": _dump(options, exclude={"stimuli", "simulation", "sorting"})}


def describe_backbone_training(config: Config, backbone: str) -> JobOptions:
    """Options of the rule that trains a backbone on the simulated world."""
    options = _look_up(config.backbones, backbone, "backbone")
    training = {"kind", "training"}
    dumped = {name: value for name, value in _dump(options).items() if name in training}
    return {"backbone": dumped, "device": config.device}


def describe_features(config: Config, backbone: str) -> JobOptions:
    """Options of the rule that extracts features."""
    options = _look_up(config.backbones, backbone, "backbone")
    return {"backbone": _dump(options, exclude={"alignment", "training"}), "device": config.device}


def describe_prior(config: Config, prior: str) -> JobOptions:
    """Options of the rule that trains the image prior of a data set."""
    options = _look_up(config.image_priors, prior, "image prior")
    return {"prior": _dump(options), "device": config.device}


def describe_fit(config: Config, method: str, dataset: str, backbone: str) -> JobOptions:
    """Options of the rule that fits a method with all seeds and folds."""
    options = _describe_experiment(config, method, dataset, backbone)
    tracking = _dump(config.tracking)
    return {**options, "tracking": tracking} if tracking else options


def _describe_experiment(config: Config, method: str, dataset: str, backbone: str) -> JobOptions:
    recording = _look_up(config.datasets, dataset, "data set")
    feature = NO_BACKBONE
    if backbone != NO_BACKBONE:
        feature = _look_up(config.backbones, backbone, "backbone").alignment
    return {
        "method": _dump(_look_up(config.methods, method, "method")),
        "seeds": list(config.seeds),
        "device": config.device,
        "feature": feature,
        **recording.describe_responses(),
    }


def describe_prediction(config: Config, method: str, dataset: str, backbone: str) -> JobOptions:
    """Options of the rule that embeds test stimuli and responses."""
    options = _describe_experiment(config, method, dataset, backbone)
    return {**options, "n_half_splits": config.evaluation.n_half_splits}


def describe_encoding(config: Config, dataset: str, backbone: str) -> JobOptions:
    """Options of the rule that fits a linear encoding model per unit.

    Raises
    ------
    InputError
        If the data set has no responses to images.
    """
    recording = _look_up(config.datasets, dataset, "data set")
    if recording.design != "images":
        raise InputError(
            "voxel-wise encoding needs responses to images", where=dataset, found=recording.design
        )
    responses: Any = recording.responses
    return {
        "arrays": _dump(config.arrays),
        "seeds": list(config.seeds),
        "feature": _look_up(config.backbones, backbone, "backbone").alignment,
        "normalisation": responses.normalisation,
        "n_half_splits": responses.n_half_splits,
        "min_repeated_stimuli": responses.min_repeated_stimuli,
        "alphas": list(RidgeOptions.model_fields["alphas"].default),
    }


def describe_scores(config: Config) -> JobOptions:
    """Options of the rule that scores predictions."""
    return {"evaluation": _dump(config.evaluation)}


def describe_comparison(config: Config) -> JobOptions:
    """Options of the rule that compares methods."""
    return {"comparison": _dump(config.comparison)}


def describe_yardsticks(config: Config, dataset: str) -> JobOptions:
    """Options of the rule that measures all layers of a backbone."""
    recording = _look_up(config.datasets, dataset, "data set")
    return {
        "yardsticks": _dump(config.yardsticks, exclude={"enabled"}),
        "normalisation": recording.describe_responses()["normalisation"],
    }


def read_comparison_options(options: JobOptions) -> ComparisonOptions:
    """Check the options of the comparison that a job was given."""
    return _validate(TypeAdapter(ComparisonOptions), options, "comparison")


def read_yardstick_options(options: JobOptions) -> YardstickOptions:
    """Check the options of the yardsticks that a job was given."""
    return _validate(TypeAdapter(YardstickOptions), options, "yardsticks")


def read_dataset_options(options: JobOptions) -> Any:
    """Check the options of a data set that a job was given."""
    return _validate(TypeAdapter(DatasetOptions), options, "dataset")


def read_world_options(options: JobOptions) -> WorldOptions:
    """Check the options of the simulated world that a job was given."""
    return _validate(TypeAdapter(WorldOptions), options, "world")


def read_backbone_options(options: JobOptions) -> ExtractionOptions:
    """Check the options of a backbone that a job was given."""
    return _validate(TypeAdapter(BackboneOptions), options, "backbone")


def read_evaluation_options(options: JobOptions) -> EvaluationOptions:
    """Check the options of the evaluation that a job was given."""
    return _validate(TypeAdapter(EvaluationOptions), options, "evaluation")


def read_array_options(options: JobOptions) -> ArrayOptions:
    """Check the options for arrays that exceed memory that a job was given."""
    return _validate(TypeAdapter(ArrayOptions), options, "arrays")


def read_image_prior_options(options: JobOptions) -> ImagePriorOptions:
    """Check the options of an image prior that a job was given."""
    return _validate(TypeAdapter(ImagePriorOptions), options, "prior")


def read_tracking_options(options: JobOptions) -> TrackingOptions:
    """Check the options of tracking that a job was given; there are defaults for all."""
    return _validate(TypeAdapter(TrackingOptions), {"tracking": {}, **options}, "tracking")


def read_method_options(options: JobOptions) -> tuple[str, dict[str, Any]]:
    """Read the name of a method in the registry and all of its options.

    Defaults and presets are filled in: a fitted model must mean the same after they change.

    Raises
    ------
    InputError
        If there is no such method or an option is wrong.
    """
    name = str(_get(options, "method").get("method"))
    adapter: TypeAdapter[Any] = TypeAdapter(_look_up(METHOD_CHOICES, name, "method"))
    checked: Options = _validate(adapter, options, "method")
    return name, checked.model_dump(mode="json", exclude={"method"})


def parse_job_options(text: str) -> JobOptions:
    """Read the value of ``--options``.

    Raises
    ------
    InputError
        If it is no JSON object.
    """
    try:
        options = json.loads(text)
    except ValueError as error:
        raise InputError("--options is no JSON", found=str(error)) from error
    if not isinstance(options, dict):
        raise InputError("--options is no JSON object", found=type(options).__name__)
    return options


def _get(options: JobOptions, part: str) -> Any:
    if part not in options:
        raise InputError(
            f"--options lacks '{part}'", found=", ".join(options) or "nothing", where="--options"
        )
    return options[part]


def _validate(adapter: TypeAdapter[Any], options: JobOptions, part: str) -> Any:
    try:
        return adapter.validate_python(_get(options, part))
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join([part, *(str(name) for name in problem["loc"])])
        message = str(problem["msg"]).removeprefix("Value error, ")
        raise InputError(message, where=f"--options {place}") from None
