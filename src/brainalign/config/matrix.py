"""Which method can run on which data set: what methods require against what recordings are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainalign.config.models import Config
from brainalign.config.pairs import count_subjects, find_obstacle, get_requirements
from brainalign.config.plan import Plan
from brainalign.errors import InputError
from brainalign.methods.requirements import Requirements
from brainalign.raw.dataset_options import RecordedDataset

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("dataset", "method", "state", "reason")
PLANNED, POSSIBLE, IMPOSSIBLE = "planned", "possible", "impossible"


def compose_matrix(config: Config) -> pd.DataFrame:
    """Say of every method and data set of a configuration whether they go together.

    Parameters
    ----------
    config : Config
        A configuration that is consistent in itself.

    Returns
    -------
    matrix : pandas.DataFrame
        One row per data set and method, in the order of the configuration, with the columns
        ``dataset``, ``method``, ``state`` and ``reason``. The state is ``planned`` (an experiment
        has the pair), ``possible`` or ``impossible``; the reason says what is required and what
        the data set is where it is impossible, with which backbones where it is planned, and is
        empty or names a condition otherwise.

    Notes
    -----
    Subjects of recordings that are not simulated are counted in their files; where these cannot
    be read, as where nothing tells whether stimuli have labels, the pair counts as possible.
    """
    import pandas as pd

    plan = Plan(config)
    backbones: dict[tuple[str, str], list[str]] = {}
    for row in plan.rows:
        backbones.setdefault((row.dataset, row.method), []).append(row.backbone)
    rows = []
    for dataset, recording in config.datasets.items():
        n_subjects = count_subjects(plan, dataset)
        for method in config.methods:
            needed = get_requirements(config, method)
            obstacle = find_obstacle(needed, recording, n_subjects)
            if obstacle is not None:
                state, reason = IMPOSSIBLE, _shorten(obstacle)
            elif (dataset, method) in backbones:
                state, reason = PLANNED, "with " + ", ".join(backbones[dataset, method])
            else:
                state, reason = POSSIBLE, _name_condition(needed, recording)
            rows.append((dataset, method, state, reason))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _shorten(obstacle: InputError) -> str:
    return f"{obstacle.what}: needs {obstacle.expected}, found {obstacle.found}"


def _name_condition(needed: Requirements, recording: RecordedDataset) -> str:
    if needed.needs_labels and recording.knows_labels() is None:
        return "if its stimuli have labels"
    return ""
