"""One self-contained page from the published folders of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from joblib import Parallel, delayed

from brainalign.evaluation.options import EvaluationOptions
from brainalign.report.artifacts import Run
from brainalign.report.blocks import Heading, Section
from brainalign.report.document import Group, Page, render_page
from brainalign.report.figures.style import assign_colours
from brainalign.report.names import write_list
from brainalign.report.navigation import group_sections, locate_part
from brainalign.report.recordings import read_recordings, read_stimulus_sets
from brainalign.report.score_table import HEADLINE, read_scores
from brainalign.report.sections.backbones import compose_backbones, list_floors
from brainalign.report.sections.brain_maps import compose_brain_maps
from brainalign.report.sections.clips import compose_clips
from brainalign.report.sections.comparison import compose_comparison
from brainalign.report.sections.labels import compose_labels
from brainalign.report.sections.matrix import Matrix, compose_matrix_section
from brainalign.report.sections.mig_vis import compose_mig_vis
from brainalign.report.sections.movies import compose_movies
from brainalign.report.sections.provenance import compose_provenance
from brainalign.report.sections.rates import compose_rates
from brainalign.report.sections.recordings import compose_recordings
from brainalign.report.sections.retrieval import compose_retrieval
from brainalign.report.sections.scores import compose_scores
from brainalign.report.sections.similarity import compose_similarity
from brainalign.report.sections.sorting import compose_sorting
from brainalign.report.sections.stimuli import compose_stimuli
from brainalign.report.sections.summary import compose_summary
from brainalign.report.sections.training import compose_training
from brainalign.report.sections.yardsticks import METHOD as YARDSTICK
from brainalign.report.sections.yardsticks import compose_yardsticks

__all__ = ["Page", "compose_page"]


def compose_page(run: Run, matrix: Matrix | None = None, n_workers: int = 1) -> Page:
    """Draw all figures and fill the template.

    Parameters
    ----------
    run : Run
        Published folders; every part may be missing.
    matrix : mapping of Pair to State, optional
        Which pairs of method and data set the configuration plans, allows or refuses.
    n_workers : int
        Processes that compose sections; most of their time goes into figures.

    Raises
    ------
    CorruptDataError
        If a store is damaged or breaks its contract.

    Notes
    -----
    The same folders give the same page, with any number of workers.
    """
    datasets = run.list_datasets()
    title = f"Brain alignment of {write_list(datasets)}" if datasets else "An empty run"
    scores = read_scores(run)
    groups = group_sections(_compose_sections(run, scores, n_workers), datasets, run.list_methods())
    overview = compose_matrix_section(run, scores, matrix or {}, _Locator(groups, datasets))
    if overview is not None:
        groups[0] = Group(groups[0].title, [*groups[0].sections, overview])
    return render_page(title, groups)


class _Locator:
    """Finds the address of what a section says of a data set; empty where it says nothing."""

    def __init__(self, groups: list[Group], datasets: list[str]) -> None:
        self._numbers = {name: number for number, name in enumerate(datasets)}
        self._known = {
            block.anchor
            for group in groups
            for section in group.sections
            for block in section.blocks
            if isinstance(block, Heading)
        }

    def __call__(self, section: str, dataset: str) -> str:
        address = locate_part(section, self._numbers.get(dataset, -1))
        return f"#{address}" if address in self._known else ""


def _compose_sections(run: Run, scores: pd.DataFrame | None, n_workers: int) -> list[Section]:
    recordings = read_recordings(run)
    floors = list_floors(run)
    colours = _assign_colours(run, scores)
    parts: list[tuple[Callable[..., Section | None], tuple[Any, ...]]] = [
        (compose_summary, (run, recordings, read_stimulus_sets(run), scores)),
        (_compose_scores, (run, scores, floors)),
        (compose_labels, (run, scores, colours)),
        (compose_rates, (run, scores)),
        (compose_clips, (run, scores, colours)),
        (compose_comparison, (run, colours)),
        (compose_retrieval, (run, floors)),
        (compose_similarity, (run, floors)),
        (compose_mig_vis, (run,)),
        (compose_yardsticks, (scores,)),
        (compose_training, (run,)),
        (compose_sorting, (run,)),
        (compose_recordings, (recordings, run.sorted)),
        (compose_movies, (run,)),
        (compose_brain_maps, (run,)),
        (compose_stimuli, (run,)),
        (compose_backbones, (run,)),
        (compose_provenance, (run,)),
    ]
    sections = Parallel(n_jobs=n_workers, batch_size=1)(
        delayed(compose)(*arguments) for compose, arguments in parts
    )
    return [section for section in sections if section is not None]


def _compose_scores(run: Run, scores: pd.DataFrame | None, floors: list[str]) -> Section | None:
    if scores is None:
        return None
    colours = _assign_colours(run, scores)
    # Labels, rates of movies and yardsticks have sections of their own.
    matched = scores["task"].isin([task for task, _ in HEADLINE])
    scores = scores[matched & (scores["method"] != YARDSTICK)]
    return compose_scores(scores, colours, floors, _find_level(run)) if len(scores) else None


def _assign_colours(run: Run, scores: pd.DataFrame | None) -> dict[str, str]:
    scored = [] if scores is None else scores["method"].tolist()
    return assign_colours([*run.list_methods(), *scored])


def _find_level(run: Run) -> float | None:
    """Find the coverage of the intervals in what the scores were made with, if all agree."""
    levels = {
        float(options.get("level", EvaluationOptions().level))
        for artifact in run.upstream
        if artifact.manifest.kind == "scores"
        and (options := artifact.provenance.get("options", {}).get("evaluation")) is not None
    }
    return levels.pop() if len(levels) == 1 else None
