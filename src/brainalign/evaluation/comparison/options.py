"""Options of the paired comparison of methods (a light module)."""

from __future__ import annotations

from pydantic import Field

from brainalign.options import Options


class ComparisonOptions(Options):
    """How scores of methods on the same queries are compared."""

    n_permutations: int = Field(
        9999,
        ge=19,
        description="Random sign flips behind each p-value; all flips where there are no more.",
    )
    n_bootstrap: int = Field(
        2000, ge=10, description="Bootstrap draws of units, and of subjects, behind each interval."
    )
    min_subjects: int = Field(
        3, ge=2, description="Fewest subjects that are drawn as well; fewer are taken as given."
    )
    level: float = Field(
        0.95, gt=0.0, lt=1.0, description="Coverage of the percentile intervals (fraction)."
    )
    seed: int = Field(0, ge=0, description="Seed of flips and draws.")
