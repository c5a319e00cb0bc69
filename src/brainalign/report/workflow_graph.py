"""The graph of the workflow, drawn from what the manifests say of their inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from brainalign.report.artifacts import Artifact
from brainalign.report.names import write_count, write_list, write_seconds

# In units of the drawing: as wide as a phone, so that its text stays legible there.
_WIDTH, _BOX_WIDTH, _BOX_HEIGHT, _GAP_Y = 380, 88, 40, 36
_PER_ROW = 4
_NAME_SIZE, _NOTE_SIZE = 12, 10
_MARGIN = 3


@dataclass(frozen=True)
class Stage:
    """All artifacts of one folder of the results.

    Attributes
    ----------
    name : str
        Name of the folder.
    n_artifacts : int
        How many there are.
    wall_s : float or None
        Seconds that their jobs took one after the other; None where no manifest says.
    sources : frozenset of str
        Stages that they were made from.
    """

    name: str
    n_artifacts: int
    wall_s: float | None
    sources: frozenset[str]

    @property
    def note(self) -> str:
        """Count and time, for readers."""
        cost = "no time" if self.wall_s is None else write_seconds(self.wall_s)
        return f"{self.n_artifacts} · {cost}"


def gather_stages(artifacts: Sequence[Artifact], results: Path) -> list[Stage]:
    """Group artifacts by folder, and their inputs likewise.

    Parameters
    ----------
    artifacts : sequence of Artifact
        Of one run; inputs that are not among them are left out.
    results : Path
        The results folder.
    """
    stage_of = {one.manifest.digest: _name_stage(one, results) for one in artifacts}
    members: dict[str, list[Artifact]] = {}
    for artifact in artifacts:
        members.setdefault(_name_stage(artifact, results), []).append(artifact)
    stages = []
    for name, own in members.items():
        digests = [d for one in own for d in one.provenance.get("inputs", {}).values()]
        sources = {stage_of[digest] for digest in digests if digest in stage_of}
        walls = [
            float(run["wall_s"])
            for one in own
            if "wall_s" in (run := one.provenance.get("run", {}))
        ]
        total = sum(walls) if walls else None
        # Artifacts of one stage may be made from each other, which is no arrow between stages.
        stages.append(Stage(name, len(own), total, frozenset(sources - {name})))
    return stages


def _name_stage(artifact: Artifact, results: Path) -> str:
    path = artifact.path
    if path.is_relative_to(results) and path != results:
        return path.relative_to(results).parts[0]
    return artifact.manifest.kind


def reduce_edges(stages: Sequence[Stage]) -> dict[str, list[str]]:
    """List the sources of each stage without those that a longer way leads to.

    Parameters
    ----------
    stages : sequence of Stage
        Without cycles; an edge that closes one is left out.
    """
    sources = _break_cycles(stages)
    ancestors: dict[str, set[str]] = {}
    for name in _sort_topologically(sources):
        own = sources[name]
        ancestors[name] = set(own).union(*(ancestors[source] for source in own))
    return {
        name: sorted(
            source
            for source in own
            if not any(source in ancestors[other] for other in own if other != source)
        )
        for name, own in sources.items()
    }


def _break_cycles(stages: Sequence[Stage]) -> dict[str, set[str]]:
    """Keep edges as long as no way leads back."""
    kept: dict[str, set[str]] = {stage.name: set() for stage in stages}

    def leads_to(start: str, goal: str) -> bool:
        return start == goal or any(leads_to(source, goal) for source in kept[start])

    for stage in stages:
        for source in sorted(stage.sources):
            if source in kept and not leads_to(source, stage.name):
                kept[stage.name].add(source)
    return kept


def _sort_topologically(sources: Mapping[str, set[str]]) -> list[str]:
    ordered: list[str] = []
    while len(ordered) < len(sources):
        ordered += [
            name for name in sources if name not in ordered and sources[name] <= set(ordered)
        ]
    return ordered


def draw_workflow(artifacts: Sequence[Artifact], results: Path) -> Markup | None:
    """Draw stages from top to bottom with arrows to what was made from them.

    Parameters
    ----------
    artifacts : sequence of Artifact
        Of one run.
    results : Path
        The results folder.

    Returns
    -------
    drawing : markupsafe.Markup or None
        An SVG element with a name and a description of all arrows; None without an arrow.
    """
    stages = {stage.name: stage for stage in gather_stages(artifacts, results)}
    sources = reduce_edges(list(stages.values()))
    if not any(sources.values()):
        return None
    places = _place(sources)
    height = max(y for _, y in places.values()) + _BOX_HEIGHT + 4
    arrows = [
        _draw_arrow(places[source], places[name], list(places.values()))
        for name, own in sources.items()
        for source in own
    ]
    boxes = [_draw_box(stages[name], *place) for name, place in places.items()]
    described = "; ".join(f"{name} from {write_list(own)}" for name, own in sources.items() if own)
    title = f"Graph of the workflow: {write_count(len(stages), 'stage')}"
    return Markup(
        f'<svg class="workflow" role="img" aria-labelledby="workflow-title workflow-text" '
        f'viewBox="0 0 {_WIDTH} {height:.0f}" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="workflow-title">{escape(title)}</title>'
        f'<desc id="workflow-text">{escape(described)}.</desc>'
        '<defs><marker id="workflow-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
        f"{''.join(arrows)}{''.join(boxes)}</svg>"
    )


def _place(sources: Mapping[str, Sequence[str]]) -> dict[str, tuple[float, float]]:
    """Put every stage below all its sources; rows that are too long are broken."""
    level: dict[str, int] = {}
    for name in _sort_topologically({name: set(own) for name, own in sources.items()}):
        level[name] = 1 + max((level[source] for source in sources[name]), default=-1)
    # A stage without sources stands right above the first that needs it.
    for name, own in sources.items():
        users = [level[other] for other, needed in sources.items() if name in needed]
        if not own and users:
            level[name] = min(users) - 1
    rows: list[list[str]] = []
    for depth in sorted(set(level.values())):
        names = [name for name in sources if level[name] == depth]
        rows += [names[start : start + _PER_ROW] for start in range(0, len(names), _PER_ROW)]
    places: dict[str, tuple[float, float]] = {}
    for number, names in enumerate(rows):
        step = _WIDTH / len(names)
        means = {name: _average(name, sources, places) for name in names}
        for column, name in enumerate(sorted(names, key=means.__getitem__)):
            x = step * (column + 0.5) - _BOX_WIDTH / 2
            places[name] = (x, 2 + number * (_BOX_HEIGHT + _GAP_Y))
    return places


def _average(
    name: str,
    sources: Mapping[str, Sequence[str]],
    places: Mapping[str, tuple[float, float]],
) -> float:
    """Give the mean place of the sources, so that arrows cross little; without any the middle."""
    own = [places[source][0] for source in sources[name]]
    return sum(own) / len(own) if own else _WIDTH / 2


def _draw_arrow(
    start: tuple[float, float], end: tuple[float, float], places: Sequence[tuple[float, float]]
) -> str:
    """Draw a curve to the next row; a longer way first goes straight down beside the boxes."""
    x, y = start[0] + _BOX_WIDTH / 2, start[1] + _BOX_HEIGHT
    goal_x, goal_y = end[0] + _BOX_WIDTH / 2, end[1]
    path = f"M{x:.1f} {y:.1f}"
    passed = [left for left, top in places if start[1] < top < goal_y]
    if passed:
        lane = _find_lane(x, passed)
        first, last = y + _GAP_Y, goal_y - _GAP_Y
        path += _bend(x, y, lane, first) + f" L{lane:.1f} {last:.1f}"
        x, y = lane, last
    path += _bend(x, y, goal_x, goal_y)
    return f'<path class="arrow" marker-end="url(#workflow-arrow)" d="{path}"/>'


def _bend(x: float, y: float, goal_x: float, goal_y: float) -> str:
    middle = (y + goal_y) / 2
    return f" C{x:.1f} {middle:.1f} {goal_x:.1f} {middle:.1f} {goal_x:.1f} {goal_y:.1f}"


def _find_lane(x: float, passed: Sequence[float]) -> float:
    """Give the place nearest to x that no passed box covers; x itself where all are covered."""
    lanes = sorted(range(2, _WIDTH - 1), key=lambda lane: abs(lane - x))
    free = (
        float(lane)
        for lane in lanes
        if not any(left - _MARGIN < lane < left + _BOX_WIDTH + _MARGIN for left in passed)
    )
    return next(free, x)


def _draw_box(stage: Stage, x: float, y: float) -> str:
    middle = x + _BOX_WIDTH / 2
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6"/>'
        f'<text x="{middle:.1f}" y="{y + 17:.1f}" font-size="{_NAME_SIZE}">'
        f"{escape(stage.name)}</text>"
        f'<text class="muted" x="{middle:.1f}" y="{y + 31:.1f}" font-size="{_NOTE_SIZE}">'
        f"{escape(stage.note)}</text>"
    )
