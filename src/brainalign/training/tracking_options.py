"""Where the courses of fits are written beside ``training.csv``; imports no torch."""

from __future__ import annotations

from pydantic import Field

from brainalign.options import Options


class TrackingOptions(Options):
    """Live trackers of fits; ``training.csv`` is always there, and nothing goes to a network."""

    tensorboard: bool = Field(
        False,
        description="Write every epoch as TensorBoard events into results/tracking/tensorboard "
        "while a fit runs; needs the package tensorboard.",
    )
    mlflow: bool = Field(
        False,
        description="Write every epoch into MLflow's local files in results/tracking/mlflow while "
        "a fit runs; needs the package mlflow or mlflow-skinny.",
    )
