"""Which methods exist; nothing is imported before it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from brainalign.errors import InputError
from brainalign.options import Options, suggest_name

if TYPE_CHECKING:
    from brainalign.methods.base import AlignmentMethod


@dataclass(frozen=True)
class MethodEntry:
    """Where a method is defined.

    Attributes
    ----------
    method, options : str
        ``module:Class`` of the method and of its options; the latter imports no torch.
    experiment : str
        Module that fits and predicts from stores, see :mod:`brainalign.methods.experiment`.
    memory_mb, fmri_memory_mb : int
        Memory that a fit and a prediction ask the scheduler for, in MB; the latter for fMRI.
    """

    method: str
    options: str
    experiment: str = "brainalign.methods.image_alignment"
    memory_mb: int = 3000
    fmri_memory_mb: int = 3000


# Maps to thousands of features of every subject, region and seed: with the simulated fMRI a fit
# took 4.7 GB and its prediction 5.6 GB, with the simulated IT 1.1 GB.
_DECODING_MB = 8000


METHODS: dict[str, MethodEntry] = {
    "mig_vis": MethodEntry(
        "brainalign.methods.mig_vis.method:MIGVisMethod",
        "brainalign.methods.mig_vis.options:MIGVisOptions",
        "brainalign.methods.mig_vis.experiment",
    ),
    "vna": MethodEntry(
        "brainalign.methods.vna.model:VNA",
        "brainalign.methods.vna.options:VNAOptions",
    ),
    "direct_encoding_ridge": MethodEntry(
        "brainalign.methods.direct.methods:DirectEncodingRidge",
        "brainalign.methods.direct.options:RidgeOptions",
    ),
    "direct_encoding_nonlinear": MethodEntry(
        "brainalign.methods.direct.methods:DirectEncodingNonlinear",
        "brainalign.methods.direct.options:NonlinearEncodingOptions",
    ),
    "direct_decoding_ridge": MethodEntry(
        "brainalign.methods.direct.methods:DirectDecodingRidge",
        "brainalign.methods.direct.options:RidgeOptions",
        fmri_memory_mb=_DECODING_MB,
    ),
    "direct_decoding_nonlinear": MethodEntry(
        "brainalign.methods.direct.methods:DirectDecodingNonlinear",
        "brainalign.methods.direct.options:NonlinearDecodingOptions",
        fmri_memory_mb=_DECODING_MB,
    ),
    "clip_mused": MethodEntry(
        "brainalign.methods.clip_mused.model:CLIPMused",
        "brainalign.methods.clip_mused.options:CLIPMusedOptions",
        "brainalign.methods.labels.experiment",
    ),
    "label_vit": MethodEntry(
        "brainalign.methods.label_baselines.networks:LabelViT",
        "brainalign.methods.label_baselines.options:LabelViTOptions",
        "brainalign.methods.labels.experiment",
    ),
    "label_vit_pooled": MethodEntry(
        "brainalign.methods.label_baselines.networks:LabelViTPooled",
        "brainalign.methods.label_baselines.options:LabelViTPooledOptions",
        "brainalign.methods.labels.experiment",
    ),
    "label_vit_embedding": MethodEntry(
        "brainalign.methods.label_baselines.networks:LabelViTEmbedding",
        "brainalign.methods.label_baselines.options:LabelViTEmbeddingOptions",
        "brainalign.methods.labels.experiment",
    ),
    "label_mlp": MethodEntry(
        "brainalign.methods.label_baselines.networks:LabelMLP",
        "brainalign.methods.label_baselines.options:LabelMLPOptions",
        "brainalign.methods.labels.experiment",
    ),
    "label_mlp_pooled": MethodEntry(
        "brainalign.methods.label_baselines.networks:LabelMLPPooled",
        "brainalign.methods.label_baselines.options:LabelMLPPooledOptions",
        "brainalign.methods.labels.experiment",
    ),
    "label_logistic": MethodEntry(
        "brainalign.methods.label_baselines.linear:LogisticLabels",
        "brainalign.methods.label_baselines.options:LinearLabelOptions",
        "brainalign.methods.labels.experiment",
    ),
    "label_ridge": MethodEntry(
        "brainalign.methods.label_baselines.linear:RidgeLabels",
        "brainalign.methods.label_baselines.options:LinearLabelOptions",
        "brainalign.methods.labels.experiment",
    ),
    "label_srm": MethodEntry(
        "brainalign.methods.label_baselines.linear:SharedResponseLabels",
        "brainalign.methods.label_baselines.options:SharedResponseOptions",
        "brainalign.methods.labels.experiment",
    ),
    "vi_st": MethodEntry(
        "brainalign.methods.vi_st.model:ViST",
        "brainalign.methods.vi_st.options:ViSTOptions",
        "brainalign.methods.movies.experiment",
    ),
    "mean_rate": MethodEntry(
        "brainalign.methods.rate_baselines.mean_rate:MeanRate",
        "brainalign.methods.rate_baselines.options:MeanRateOptions",
        "brainalign.methods.movies.experiment",
    ),
    "ln": MethodEntry(
        "brainalign.methods.rate_baselines.linear:LinearNonlinear",
        "brainalign.methods.rate_baselines.options:LinearNonlinearOptions",
        "brainalign.methods.movies.experiment",
    ),
    "glm": MethodEntry(
        "brainalign.methods.rate_baselines.glm:PoissonGLM",
        "brainalign.methods.rate_baselines.options:GLMOptions",
        "brainalign.methods.movies.experiment",
    ),
    "feature_ridge": MethodEntry(
        "brainalign.methods.rate_baselines.feature_ridge:FeatureRidge",
        "brainalign.methods.rate_baselines.options:FeatureRidgeOptions",
        "brainalign.methods.movies.experiment",
    ),
    "neuroalign": MethodEntry(
        "brainalign.methods.neuroalign.model:NeuroAlign",
        "brainalign.methods.neuroalign.options:NeuroAlignOptions",
        "brainalign.methods.clips.experiment",
    ),
    "ridge_delays": MethodEntry(
        "brainalign.methods.clip_baselines.ridge:RidgeDelays",
        "brainalign.methods.clip_baselines.options:RidgeDelaysOptions",
        "brainalign.methods.clips.experiment",
    ),
    "movie_cnn": MethodEntry(
        "brainalign.methods.rate_baselines.cnn:MovieCNN",
        "brainalign.methods.rate_baselines.options:MovieCNNOptions",
        "brainalign.methods.movies.experiment",
    ),
}


def get_method(name: str) -> type[AlignmentMethod]:
    """Class of a method.

    Parameters
    ----------
    name : str
        Name in `METHODS`.

    Returns
    -------
    method : type
        Subclass of `AlignmentMethod`; imports torch.

    Raises
    ------
    InputError
        The name is unknown; the known and the nearest ones are named.
    """
    return _import_class(_get_entry(name).method)


def get_method_options(name: str) -> type[Options]:
    """Options of a method, without importing the method.

    Parameters
    ----------
    name : str
        Name in `METHODS`.

    Returns
    -------
    options : type
        Model of the options; its `requirements` are those of the method.

    Raises
    ------
    InputError
        The name is unknown; the known and the nearest ones are named.
    """
    return _import_class(_get_entry(name).options)


def get_experiment_module(name: str) -> str:
    """Name the module that fits and predicts a method from stores.

    Parameters
    ----------
    name : str
        Name in `METHODS`.

    Raises
    ------
    InputError
        The name is unknown; the known and the nearest ones are named.
    """
    return _get_entry(name).experiment


def _get_entry(name: str) -> MethodEntry:
    if name not in METHODS:
        raise InputError(f"unknown method '{name}'", remedy=suggest_name(name, METHODS))
    return METHODS[name]


def _import_class(path: str) -> Any:
    module, _, class_name = path.partition(":")
    return getattr(import_module(module), class_name)
