"""A results folder as an object: lists what was published and opens it lazily."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from brainalign.errors import InputError
from brainalign.options import suggest_name
from brainalign.stores.manifest import MANIFEST_NAME

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from brainalign.methods.arrays import PairedResponses
    from brainalign.methods.method import Method

# Folders of the stages and how many names lead to a published folder inside.
_DEPTHS = {"stimuli": 1, "responses": 2, "features": 2, "models": 3, "predictions": 3}
_WHAT = {
    "stimuli": ("data set",),
    "responses": ("data set", "subject"),
    "features": ("data set", "backbone"),
    "models": ("method", "data set", "backbone"),
    "predictions": ("method", "data set", "backbone"),
}


def open_run(results: Path | str = "results") -> Run:
    """Open the results folder of a run, finished or under way.

    Parameters
    ----------
    results : path
        The folder that the workflow writes to.

    Returns
    -------
    run : Run
        Knows what is published at the moment of each question; nothing is read before it is
        asked for.

    Raises
    ------
    InputError
        The folder is not there or holds nothing that a run publishes.

    Examples
    --------
    >>> run = brainalign.open_run("results")  # doctest: +SKIP
    >>> run.list_datasets()  # doctest: +SKIP
    ['simulated_fmri', 'simulated_it', 'simulated_retina']
    """
    folder = Path(results)
    if not folder.is_dir():
        raise InputError(
            "no such results folder",
            where=folder,
            remedy="Run snakemake first, or name the folder that it wrote to.",
        )
    run = Run(folder)
    if not any(run.list_published(stage) for stage in _DEPTHS):
        raise InputError(
            "nothing of a run is published here",
            where=folder,
            expected=f"one of the folders {', '.join(_DEPTHS)} with published stores",
            found=", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing",
            remedy="Name the results folder itself, or wait for the first stage.",
        )
    return run


class Run:
    """What a run has published; made by `open_run`.

    Parameters
    ----------
    results : Path
        The results folder.
    """

    def __init__(self, results: Path) -> None:
        self.results = results

    def __repr__(self) -> str:
        return "\n".join([f"Run('{self.results}')", *map(self._describe, self.list_datasets())])

    def list_published(self, stage: str) -> list[tuple[str, ...]]:
        """List what a stage has published.

        Parameters
        ----------
        stage : {"stimuli", "responses", "features", "models", "predictions"}
            Name of the stage's folder.

        Returns
        -------
        names : list of tuple of str
            Such as ``(method, dataset, backbone)`` for models, sorted.
        """
        pattern = "/".join(["*"] * _DEPTHS[stage])
        found = (self.results / stage).glob(f"{pattern}/{MANIFEST_NAME}")
        parents = (path.parent.relative_to(self.results / stage) for path in found)
        return sorted(
            tuple(part.removesuffix(".zarr") for part in parent.parts)
            for parent in parents
            # Drafts of jobs under way begin with a dot.
            if not any(part.startswith(".") for part in parent.parts)
        )

    def list_datasets(self) -> list[str]:
        """List the data sets with stimuli or responses."""
        names = [*self.list_published("stimuli"), *self.list_published("responses")]
        return sorted({dataset for dataset, *_ in names})

    def list_subjects(self, dataset: str) -> list[str]:
        """List the subjects of a data set whose responses are there."""
        return self._list_next("responses", dataset)

    def list_backbones(self, dataset: str | None = None) -> list[str]:
        """List the backbones whose features are there, of one data set or of any."""
        names = self.list_published("features")
        if dataset is not None and dataset not in self.list_datasets():
            raise self._refuse("data set", dataset, self.list_datasets())
        return sorted({backbone for of, backbone in names if dataset in (None, of)})

    def list_methods(self, dataset: str | None = None) -> list[str]:
        """List the methods that were fitted, to one data set or to any."""
        if dataset is not None and dataset not in self.list_datasets():
            raise self._refuse("data set", dataset, self.list_datasets())
        names = self.list_published("models")
        return sorted({method for method, of, _ in names if dataset in (None, of)})

    def stimuli(self, dataset: str) -> xr.Dataset:
        """Open the stimuli of a data set: images or frames, splits, categories.

        Parameters
        ----------
        dataset : str
            Name of the data set.

        Returns
        -------
        stimuli : xarray.Dataset
            Lazy: values are read where they are used.

        Raises
        ------
        InputError
            There is no such data set; the nearest name is given.
        CorruptDataError
            The store is damaged.
        """
        return self._open("stimuli", dataset).to_dataset()

    def responses(self, dataset: str, subject: str | None = None) -> xr.Dataset:
        """Open the responses of a subject, as they were recorded (not normalised).

        Parameters
        ----------
        dataset : str
            Name of the data set.
        subject : str, optional
            May be left out where there is one.

        Returns
        -------
        responses : xarray.Dataset
            Lazy; with ceilings and reliabilities per unit.
        """
        return self._open("responses", dataset, subject).to_dataset()

    def features(
        self, dataset: str, backbone: str | None = None, layer: str | None = None
    ) -> xr.DataTree | xr.Dataset:
        """Open the features of a data set.

        Parameters
        ----------
        dataset : str
            Name of the data set.
        backbone : str, optional
            May be left out where there is one.
        layer : str, optional
            Path of one layer and output, such as ``layer_4/mean``; None: the tree of all.

        Returns
        -------
        features : xarray.DataTree, or xarray.Dataset of one layer
            Lazy.
        """
        tree = self._open("features", dataset, backbone)
        if layer is None:
            return tree
        known = [node.path.strip("/") for node in tree.subtree if node.data_vars]
        if layer.strip("/") not in known:
            raise self._refuse("layer", layer, known)
        return tree[layer.strip("/")].to_dataset()

    def predictions(self, method: str, dataset: str, backbone: str | None = None) -> xr.DataTree:
        """Open what a method predicted for test stimuli.

        Parameters
        ----------
        method, dataset : str
            Names as in the configuration.
        backbone : str, optional
            May be left out where there is one.

        Returns
        -------
        predictions : xarray.DataTree
            Lazy; a group per subject, area and variant.
        """
        return self._open("predictions", method, dataset, backbone)

    def model(
        self,
        method: str,
        dataset: str,
        backbone: str | None = None,
        *,
        subject: str | None = None,
        area: str | None = None,
        seed: int | None = None,
        fold: int | None = None,
        protocol: str | None = None,
        variant: str | None = None,
    ) -> Method:
        """Load a fitted method, ready to predict.

        Parameters
        ----------
        method, dataset : str
            Names as in the configuration.
        backbone : str, optional
            May be left out where there is one.
        subject, area, seed, fold, protocol, variant : optional
            Which fit, see :func:`brainalign.load_method`.
        """
        from brainalign.methods.saved import load_method

        return load_method(
            self.find("models", method, dataset, backbone),
            subject=subject,
            area=area,
            seed=seed,
            fold=fold,
            protocol=protocol,
            variant=variant,
        )

    def pairs(
        self,
        method: str,
        dataset: str,
        backbone: str | None = None,
        *,
        split: str = "test",
        fold: int = 0,
        area: str = "all",
    ) -> PairedResponses:
        """Read stimuli and responses as a fitted method sees them: its features, normalised.

        Parameters
        ----------
        method, dataset, backbone
            As for `model`; a method that embeds images and responses.
        split : {"train", "validation", "test"}
            Which stimuli.
        fold : int
            The tested fold.
        area : str
            Whose units, as for `model`.

        Returns
        -------
        pairs : PairedResponses
            Of all subjects with units in the area; ready for ``method.predict``.

        Raises
        ------
        InputError
            The method takes other arrays, or a name is not there.
        """
        from brainalign.methods.pairs import read_image_experiment
        from brainalign.methods.registry import METHODS
        from brainalign.methods.weights import read_weights

        folder = self.find("models", method, dataset, backbone)
        _, description = read_weights(folder)
        if METHODS[description["method"]].experiment != "brainalign.methods.image_alignment":
            raise InputError(
                "the method does not pair features of images with responses",
                where=folder,
                found=description["method"],
                remedy="Make its arrays from run.stimuli, run.responses and run.features.",
            )
        experiment = read_image_experiment(
            self.find("stimuli", dataset),
            [self.find("responses", dataset, subject) for subject in description["units"]],
            self.find("features", dataset, folder.name),
            description["feature"],
            description["normalisation"],
        )
        areas = experiment.divide_by_area()
        if area not in areas:
            raise self._refuse("area", area, list(areas), f"responses/{dataset}")
        return areas[area].take_split(fold, split)

    def scores(self, table: str | None = None) -> pd.DataFrame:
        """Load all scores, or a table behind them; see :func:`brainalign.load_scores`."""
        from brainalign.notebook.scores import load_scores

        return load_scores(self.results, table)

    def find(self, stage: str, *names: str | None) -> Path:
        """Find a published folder.

        Parameters
        ----------
        stage : {"stimuli", "responses", "features", "models", "predictions"}
            Name of the stage's folder.
        *names : str or None
            What leads to it, such as method, data set and backbone; None where there is one.

        Returns
        -------
        folder : Path
            Inside the results folder.

        Raises
        ------
        InputError
            A name is not there (the nearest is given), or is left out and there are several.
        """
        kinds = _WHAT[stage]
        given = [*names, *[None] * (len(kinds) - len(names))]
        chosen: list[str] = []
        for kind, name in zip(kinds, given, strict=True):
            known = self._list_next(stage, *chosen)
            if name is None and len(known) == 1:
                name = known[0]
            if name is None:
                raise InputError(
                    f"there is more than one {kind}" if known else f"there is no {kind}",
                    where=f"{self.results / stage}/{'/'.join(chosen)}",
                    found=", ".join(known) or None,
                    remedy="Name one." if known else "Run its stage first.",
                )
            if name not in known:
                raise self._refuse(kind, name, known, "/".join([stage, *chosen]))
            chosen.append(name)
        folder = self.results.joinpath(stage, *chosen)
        return folder if stage == "models" else folder.with_name(f"{folder.name}.zarr")

    def _list_next(self, stage: str, *names: str) -> list[str]:
        """List the names that follow others, checking those."""
        known = self.list_published(stage)
        for place, name in enumerate(names):
            here = sorted({entry[place] for entry in known})
            if name not in here:
                raise self._refuse(_WHAT[stage][place], name, here, stage)
            known = [entry for entry in known if entry[place] == name]
        return sorted({entry[len(names)] for entry in known})

    def _open(self, stage: str, *names: str | None) -> xr.DataTree:
        from brainalign.stores.read import open_store

        return open_store(self.find(stage, *names), stage)

    def _describe(self, dataset: str) -> str:
        subjects = [subject for of, subject in self.list_published("responses") if of == dataset]
        return (
            f"  {dataset}: subjects {_join(subjects)}; backbones "
            f"{_join(self.list_backbones(dataset))}; methods {_join(self.list_methods(dataset))}"
        )

    def _refuse(self, kind: str, name: str, known: list[str], place: str = "") -> InputError:
        return InputError(
            f"no {kind} '{name}' in this run",
            where=self.results / place,
            remedy=suggest_name(name, known),
        )


def _join(names: list[str]) -> str:
    return ", ".join(names) if names else "none yet"
