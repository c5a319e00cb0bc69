"""Options of the common yardsticks (a light module)."""

from __future__ import annotations

from pydantic import Field

from brainalign.options import Options


class YardstickOptions(Options):
    """How layers of backbones are compared with responses, whatever the method."""

    enabled: bool = Field(
        True,
        description="Whether every layer of every backbone of an experiment is measured: ridge "
        "encoding, RSA and linear CKA.",
    )
    n_permutations: int = Field(
        1000,
        description="Orders of the stimuli behind chance and p-values of RSA and CKA.",
        ge=19,
    )
    n_bootstrap: int = Field(
        1000, description="Bootstrap draws of stimuli behind each interval.", ge=10
    )
    level: float = Field(
        0.95, description="Coverage of the percentile intervals (fraction).", gt=0.0, lt=1.0
    )
    seed: int = Field(0, description="Seed of draws and orders.", ge=0)
