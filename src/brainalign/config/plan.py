"""What a configuration leads to: data sets, subjects, and the stores of every stage."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from brainalign.config.models import Config
from brainalign.errors import InputError
from brainalign.features.options import WorldCLIPOptions, WorldDINOOptions
from brainalign.methods.registry import METHODS, MethodEntry
from brainalign.methods.requirements import NO_BACKBONE
from brainalign.raw.fmri_options import (
    FMRIDatasetOptions,
    FMRIPrepPreprocessing,
    FMRIVolumeOptions,
)
from brainalign.raw.options import SessionsToSort
from brainalign.raw.registry import READERS, SIMULATORS, open_raw_dataset
from brainalign.responses.registry import get_builder_module

# Weights, images and their predictors: 0.7 GB for the small preset with 768 images, 2.7 GB for the
# paper's with a few.
_PRIOR_MB = 4000


@dataclass(frozen=True, order=True)
class Row:
    """One fit of the plan: a method on a data set with a backbone."""

    method: str
    dataset: str
    backbone: str


class Plan:
    """The jobs that follow from a configuration.

    Parameters
    ----------
    config : Config
        A checked configuration.

    Notes
    -----
    Subjects of recordings that are not simulated are listed from their files, once per data set.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    @functools.cached_property
    def rows(self) -> list[Row]:
        """Every fit, once, sorted."""
        return sorted(
            {
                Row(method, dataset, backbone)
                for experiment in self.config.experiments
                for dataset in experiment.datasets
                for backbone in experiment.backbones or [NO_BACKBONE]
                for method in experiment.methods
            }
        )

    @functools.cached_property
    def priors(self) -> list[tuple[str, str]]:
        """Pairs of data set and image prior of all fits, sorted."""
        return sorted(
            {
                (row.dataset, prior)
                for row in self.rows
                for prior in self.get_priors(row.method).values()
            }
        )

    def get_priors(self, method: str) -> dict[str, str]:
        """Name the image priors that a configured method uses, by their role."""
        options = self.config.methods.get(method)
        names = {
            "prior": getattr(options, "image_prior", None),
            "conditional": getattr(options, "conditional_prior", None),
        }
        # Without an image prior nothing is edited.
        if names["prior"] is None:
            return {}
        return {role: name for role, name in names.items() if name is not None}

    @functools.cached_property
    def datasets(self) -> list[str]:
        """Data sets of all experiments, sorted."""
        return sorted({name for row in self.config.experiments for name in row.datasets})

    @functools.cached_property
    def features(self) -> list[tuple[str, str]]:
        """Pairs of data set and backbone of all experiments, sorted."""
        return sorted(
            {
                (dataset, backbone)
                for experiment in self.config.experiments
                for dataset in experiment.datasets
                for backbone in experiment.backbones
            }
        )

    @functools.cached_property
    def yardsticks(self) -> list[tuple[str, str]]:
        """Pairs of data set and backbone whose layers are measured, sorted."""
        if not self.config.yardsticks.enabled:
            return []
        return [
            (dataset, backbone)
            for dataset, backbone in self.features
            if self.config.datasets[dataset].design == "images"
        ]

    def is_simulated(self, dataset: str) -> bool:
        """Tell whether the workflow makes the raw data of a data set itself."""
        return dataset in self.config.datasets and self.config.datasets[dataset].is_simulated

    def is_sorted(self, dataset: str) -> bool:
        """Tell whether the workflow sorts or curates the spikes of a data set."""
        return dataset in self.config.datasets and self.config.datasets[dataset].is_sorted

    def has_electrodes(self, dataset: str) -> bool:
        """Tell whether simulated electrodes record a data set."""
        return dataset in self.config.datasets and self.config.datasets[dataset].has_electrodes

    def has_stimuli(self, dataset: str) -> bool:
        """Tell whether an experiment needs the stimuli of a data set."""
        return dataset in self.stimulus_datasets

    @functools.cached_property
    def stimulus_datasets(self) -> list[str]:
        """Data sets whose stimuli a backbone or a method reads, sorted."""
        return sorted({name for name, _ in self.features} | {row.dataset for row in self.rows})

    def has_volumes(self, dataset: str) -> bool:
        """Tell whether a data set is one of functional volumes."""
        return isinstance(self.config.datasets.get(dataset), FMRIVolumeOptions)

    def find_preprocessing(self, dataset: str) -> str | None:
        """Name how the workflow preprocesses the volumes of a data set; None if it does not."""
        options = self.config.datasets.get(dataset)
        if not isinstance(options, FMRIVolumeOptions) or options.preprocessing.kind == "none":
            return None
        return options.preprocessing.kind

    def get_preprocessing_resources(self, dataset: str) -> tuple[int, int]:
        """Give threads and memory in MB of the preprocessing of one subject."""
        options = self.config.datasets[dataset]
        if isinstance(options, FMRIVolumeOptions) and isinstance(
            options.preprocessing, FMRIPrepPreprocessing
        ):
            return options.preprocessing.threads, options.preprocessing.memory_mb
        return 1, 4000

    def get_response_threads(self, dataset: str) -> int:
        """Give the threads that building the responses of one subject uses."""
        options = self.config.datasets[dataset]
        if isinstance(options, FMRIDatasetOptions):
            return options.responses.n_parallel_runs
        return 1

    def is_trained(self, backbone: str) -> bool:
        """Tell whether the workflow trains a backbone itself."""
        options = self.config.backbones.get(backbone)
        return isinstance(options, WorldCLIPOptions | WorldDINOOptions)

    def count_shards(self, backbone: str) -> int:
        """Count the jobs that share the stimuli of a backbone."""
        options = self.config.backbones.get(backbone)
        return 1 if options is None else options.shards

    @functools.cache  # noqa: B019 - a plan lives as long as the process
    def list_subjects(self, dataset: str) -> list[str]:
        """List the subjects of a data set, sorted.

        Raises
        ------
        InputError
            If the raw files of the data set cannot be found.
        """
        options = self.config.datasets[dataset]
        if options.is_simulated:
            return options.list_simulated_subjects()
        if isinstance(options, SessionsToSort):
            return options.list_sorted_subjects()
        return open_raw_dataset(options).list_subjects()

    def get_reader_module(self, dataset: str) -> str:
        """Name the module that reads the raw files of a data set."""
        return READERS[self.config.datasets[dataset].kind].split(":")[0]

    def get_simulator_module(self, dataset: str) -> str:
        """Name the module that simulates a data set."""
        return SIMULATORS[self.config.datasets[dataset].kind].split(":")[0]

    def get_response_module(self, dataset: str) -> str:
        """Name the module that builds the responses of a data set."""
        options = self.config.datasets[dataset]
        return get_builder_module(options.modality, options.design)

    def list_method_modules(self, name: str) -> list[str]:
        """Name the modules of a configured method: its own and that of its experiments.

        Raises
        ------
        InputError
            If the configuration has no such method.
        """
        entry = self._find_method(name)
        return [entry.method.split(":")[0], entry.experiment]

    def get_method_memory(self, method: str, dataset: str) -> int:
        """Give the memory in MB that a prediction of a configured method asks for.

        Raises
        ------
        InputError
            If the configuration has no such method.
        """
        entry = self._find_method(method)
        is_fmri = self.config.datasets[dataset].modality.startswith("fmri")
        return entry.fmri_memory_mb if is_fmri else entry.memory_mb

    def get_fit_memory(self, method: str, dataset: str) -> int:
        """Give the memory in MB that a fit asks for: that of the largest fit of the plan.

        On a cluster all ready fits are one array, whose tasks get the resources of its first job.
        """
        pairs = {(row.method, row.dataset) for row in self.rows} | {(method, dataset)}
        return max(self.get_method_memory(*pair) for pair in pairs)

    def get_prior_memory(self, prior: str) -> int:
        """Give the memory in MB that the training of an image prior asks for.

        On a GPU what a step keeps lies in the memory of the card, which is divided where it is
        short; a job that asks for none may end up on a CPU, where it would be killed.
        """
        options = self.config.image_priors[prior]
        kept = 0 if self.config.device == "cuda" else options.estimate_activations_mb()
        return _PRIOR_MB + kept

    def _find_method(self, name: str) -> MethodEntry:
        if name not in self.config.methods:
            raise InputError(f"no method named '{name}' in the configuration")
        return METHODS[str(getattr(self.config.methods[name], "method", name))]

    def list_response_stores(self) -> list[str]:
        """List the response stores of all data sets and subjects."""
        return [
            f"{self.config.results}/responses/{dataset}/{subject}.zarr"
            for dataset in self.datasets
            if self.config.datasets[dataset].has_responses
            for subject in self.list_subjects(dataset)
        ]

    def list_sorted_folders(self) -> list[str]:
        """List the folders of curated units of all data sets that are sorted here."""
        return [
            f"{self.config.results}/sorted/{dataset}"
            for dataset in self.datasets
            if self.is_sorted(dataset)
        ]

    def list_score_stores(self) -> list[str]:
        """List the score stores of all fits and yardsticks."""
        results = self.config.results
        fits = [f"{results}/scores/{r.method}/{r.dataset}/{r.backbone}.zarr" for r in self.rows]
        yardsticks = [
            f"{results}/scores/yardstick/{dataset}/{backbone}.zarr"
            for dataset, backbone in self.yardsticks
        ]
        return [*fits, *yardsticks]

    def list_report_inputs(self) -> list[str]:
        """List every store that the report shows."""
        results = self.config.results
        models = [f"{results}/models/{r.method}/{r.dataset}/{r.backbone}" for r in self.rows]
        predictions = [
            f"{results}/predictions/{r.method}/{r.dataset}/{r.backbone}.zarr" for r in self.rows
        ]
        stimuli = [f"{results}/stimuli/{name}.zarr" for name in self.stimulus_datasets]
        features = [f"{results}/features/{d}/{b}.zarr" for d, b in self.features]
        trained = sorted({b for _, b in self.features if self.is_trained(b)})
        backbones = [f"{results}/backbones/{name}" for name in trained]
        scores = [f"{results}/scores.zarr"] if self.list_score_stores() else []
        return [
            *stimuli,
            *self.list_sorted_folders(),
            *self.list_response_stores(),
            *backbones,
            *features,
            *models,
            *predictions,
            *scores,
        ]

    def list_targets(self) -> list[str]:
        """List the final files of the workflow."""
        results = self.config.results
        if not self.config.experiments:
            return []
        names = ("scores.csv", "comparisons.csv", "scores.zarr")
        scores = [f"{results}/{name}" for name in names] if self.list_score_stores() else []
        recordings = [*self.list_sorted_folders(), *self.list_response_stores()]
        return [*recordings, *scores, f"{results}/report"]
