"""Options of the training of the world's backbones (imports neither torch nor transformers)."""

from __future__ import annotations

from pydantic import Field, model_validator

from brainalign.options import Options


class VisionTransformerOptions(Options):
    """Shape of a small vision transformer and of its training."""

    image_size: int = Field(
        64, description="Side in pixels to which images are resized for the model.", ge=8
    )
    patch_size: int = Field(8, description="Side of a square patch in pixels.", ge=2)
    hidden_size: int = Field(64, description="Width of the residual stream.", ge=8)
    n_layers: int = Field(4, description="Number of transformer layers.", ge=1)
    n_heads: int = Field(2, description="Number of attention heads; divides hidden_size.", ge=1)
    n_epochs: int = Field(32, description="Passes over the training images.", ge=1)
    batch_size: int = Field(64, description="Images per optimiser step.", ge=2)
    learning_rate: float = Field(2e-3, description="Peak learning rate of AdamW.", gt=0)
    weight_decay: float = Field(0.05, description="Decoupled weight decay of matrices.", ge=0)
    warmup_fraction: float = Field(
        0.1, description="Fraction of the steps over which the learning rate rises.", ge=0, lt=1
    )

    @model_validator(mode="after")
    def _check_shape(self) -> VisionTransformerOptions:
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size {self.image_size} is no multiple of patch_size {self.patch_size}"
            )
        if self.hidden_size % self.n_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is no multiple of n_heads {self.n_heads}"
            )
        return self


class CLIPTrainingOptions(VisionTransformerOptions):
    """Contrastive training of an image and a text tower (Radford et al. 2021)."""

    projection_size: int = Field(64, description="Width of the shared embedding.", ge=2)
    n_text_layers: int = Field(2, description="Number of layers of the text tower.", ge=1)
    maximum_shift: int = Field(
        8,
        description="Largest random translation in pixels; small, since captions name the place.",
        ge=0,
    )


class DINOTrainingOptions(VisionTransformerOptions):
    """Training without labels: a student follows its moving average across views."""

    n_epochs: int = Field(24, description="Passes over the training images.", ge=1)
    global_size: int = Field(
        48,
        description="Side of a large crop in pixels; below image_size, since cost grows with it.",
        ge=8,
    )
    n_local_crops: int = Field(0, description="Small crops per image, for the student only.", ge=0)
    local_size: int = Field(32, description="Side of a small crop in pixels.", ge=8)
    head_size: int = Field(256, description="Width inside the projection head.", ge=2)
    embedding_size: int = Field(64, description="Width of what is compared.", ge=2)
    temperature: float = Field(0.2, description="Softmax temperature of the cosines.", gt=0)
    teacher_momentum: float = Field(
        0.99, description="Start of the teacher's moving average; rises to 1.", ge=0, le=1
    )

    @model_validator(mode="after")
    def _check_crops(self) -> DINOTrainingOptions:
        for name in ("global_size", "local_size"):
            if getattr(self, name) % self.patch_size:
                raise ValueError(f"{name} is no multiple of patch_size {self.patch_size}")
        return self
