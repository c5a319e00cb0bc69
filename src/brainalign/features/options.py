"""Which backbone reads the stimuli, and which of its layers are kept (a light module)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from brainalign.errors import InputError
from brainalign.features.world_backbones.options import CLIPTrainingOptions, DINOTrainingOptions
from brainalign.options import Options, suggest_name

Output = Literal["cls", "mean", "map", "token"]
Precision = Literal["auto", "fp32", "bf16"]

_PATH = re.compile(r"(layer_\d+/(cls|mean|map|token)|stage_\d+/(mean|map|token))")
_SINGLE_PATHS = {"projection": "projection/embedding", "grid": "grid/feature"}


class ExtractionOptions(Options):
    """What every backbone has: layers, outputs and how they are computed."""

    layers: list[int | str] = Field(
        description="Layers to keep: 0 is the embedding (of a ResNet: the stem), -1 the last "
        "layer, 'projection' the image embedding of CLIP.",
        min_length=1,
    )
    outputs: list[Output] = Field(
        ["cls", "mean", "map"],
        description="What to keep of a layer: the CLS token (cls), the mean over patches (mean), "
        "means over a 4 x 4 grid of the image, side by side (map), all patches (token).",
        min_length=1,
    )
    frame_outputs: list[Output] = Field(
        ["mean", "token"],
        description="The same for the frames of movies, in place of outputs.",
        min_length=1,
    )
    batch_size: int = Field(32, description="Images per forward pass.", ge=1)
    shards: int = Field(
        1,
        description="Jobs that share the stimuli; one more job then joins their features.",
        ge=1,
    )
    precision: Precision = Field(
        "auto", description="fp32, bf16, or auto: bf16 on GPUs and fp32 on CPUs."
    )
    alignment: str = Field(
        description="Path that alignment methods read by default, such as layer_4/map."
    )

    @model_validator(mode="after")
    def _check_alignment(self) -> ExtractionOptions:
        if self.alignment in _SINGLE_PATHS.values():
            layer = self.alignment.split("/")[0]
            if layer == "projection" and layer not in self.layers:
                raise ValueError(f"alignment {self.alignment} needs 'projection' among the layers")
            return self
        if not _PATH.fullmatch(self.alignment):
            raise ValueError(
                f"alignment '{self.alignment}' is no path such as layer_4/mean, stage_4/mean or "
                f"projection/embedding"
            )
        layer, output = self.alignment.split("/")
        if output not in self.outputs:
            raise ValueError(f"alignment {self.alignment} needs '{output}' among the outputs")
        # Negative layers get their number only once the depth of the backbone is known.
        has_negative = any(isinstance(asked, int) and asked < 0 for asked in self.layers)
        named = {layer, int(layer.split("_")[1])}
        if not has_negative and not named & set(self.layers):
            raise ValueError(f"alignment {self.alignment} is not among the layers {self.layers}")
        return self


class PixelsOptions(ExtractionOptions):
    """Luminance and contrast on a grid: the floor that every other backbone must beat."""

    kind: Literal["pixels"] = Field("pixels", description="Discriminates the backbones.")
    grid: int = Field(8, description="Cells along each side of the image.", ge=1)
    layers: list[int | str] = Field(["grid"], description="Always ['grid'].", min_length=1)
    alignment: str = Field("grid/feature", description="Always grid/feature.")


class PretrainedOptions(ExtractionOptions):
    """A vision model in the format of `transformers`, from a hub or a local folder."""

    kind: Literal["pretrained"] = Field("pretrained", description="Discriminates the backbones.")
    model: str = Field(
        description="Id on a hub (openai/clip-vit-base-patch16) or a local folder.", min_length=1
    )
    revision: str | None = Field(
        None, description="Commit, tag or branch on the hub; pin a commit for published results."
    )
    layers: list[int | str] = Field(
        [3, 6, 9, 12],
        description=ExtractionOptions.model_fields["layers"].description,
        min_length=1,
    )
    alignment: str = Field(
        "layer_12/map", description=ExtractionOptions.model_fields["alignment"].description
    )
    text: bool = Field(
        False,
        description="Whether captions, where the stimuli have any, are embedded by the text tower "
        "of a CLIP, as text/pooled.",
    )


class WorldCLIPOptions(ExtractionOptions):
    """The small CLIP that is trained on the simulated world's images and captions."""

    kind: Literal["world_clip"] = Field("world_clip", description="Discriminates the backbones.")
    training: CLIPTrainingOptions = Field(
        CLIPTrainingOptions(), description="Shape and training of the two towers."
    )
    layers: list[int | str] = Field(
        [1, 2, 3, 4, "projection"],
        description=ExtractionOptions.model_fields["layers"].description,
        min_length=1,
    )
    alignment: str = Field(
        "layer_4/map", description=ExtractionOptions.model_fields["alignment"].description
    )
    text: bool = Field(
        True,
        description="Whether captions, where the stimuli have any, are embedded by the text tower, "
        "as text/pooled.",
    )


class WorldDINOOptions(ExtractionOptions):
    """The small self-supervised ViT that is trained on the simulated world's images."""

    kind: Literal["world_dino"] = Field("world_dino", description="Discriminates the backbones.")
    training: DINOTrainingOptions = Field(
        DINOTrainingOptions(), description="Shape and training of the student."
    )
    layers: list[int | str] = Field(
        [1, 2, 3, 4],
        description=ExtractionOptions.model_fields["layers"].description,
        min_length=1,
    )
    alignment: str = Field(
        "layer_4/map", description=ExtractionOptions.model_fields["alignment"].description
    )


BackboneOptions = Annotated[
    PixelsOptions | PretrainedOptions | WorldCLIPOptions | WorldDINOOptions,
    Field(discriminator="kind"),
]

BACKBONE_OPTIONS: dict[str, type[ExtractionOptions]] = {
    "pixels": PixelsOptions,
    "pretrained": PretrainedOptions,
    "world_clip": WorldCLIPOptions,
    "world_dino": WorldDINOOptions,
}


def read_backbone_options(mapping: Mapping[str, Any]) -> ExtractionOptions:
    """Check the options of one backbone.

    Parameters
    ----------
    mapping : mapping of str to object
        Options as they stand in a configuration file; ``kind`` chooses the model.

    Returns
    -------
    options : ExtractionOptions
        The model of that kind.

    Raises
    ------
    InputError
        If ``kind`` is missing or unknown (the nearest known one is named) or an option is wrong.
    """
    kind = mapping.get("kind")
    if kind not in BACKBONE_OPTIONS:
        raise InputError(
            f"no backbone of kind {kind!r}",
            where="features.backbones",
            remedy=suggest_name(str(kind), BACKBONE_OPTIONS),
        )
    adapter: TypeAdapter[Any] = TypeAdapter(BackboneOptions)
    try:
        return adapter.validate_python(dict(mapping))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(str(first["msg"]), where=f"features.backbones.{place}") from None
