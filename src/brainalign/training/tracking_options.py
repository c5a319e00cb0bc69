"""Where the courses of fits are written beside ``training.csv``; imports no torch."""

from __future__ import annotations

from pydantic import Field

from brainalign.options import Options


class TrackingOptions(Options):
    """Trackers of fits; ``training.csv`` is always there, and nothing ever goes to a network."""

    tensorboard: bool = Field(
        False,
        description="Write TensorBoard events into the model's folder at the end of its fit; "
        "needs the package tensorboard.",
    )
