"""Options that all methods of movie and BOLD windows share; imports no torch."""

from __future__ import annotations

from pydantic import Field

from brainalign.options import Options


class ClipOptions(Options):
    """Windows, lags and what is read of a movie."""

    window_trs: int = Field(
        default=10, ge=2, description="Length of a window of the movie in TRs of the scanner."
    )
    n_lags: int = Field(
        default=6,
        ge=1,
        description="TRs of BOLD, from that of the movie on, in which a response is looked for.",
    )
    test_stride_trs: int = Field(
        default=2,
        ge=1,
        description="Step between the starts of test windows in TRs; smaller than window_trs they "
        "overlap, which makes a hard gallery. Disjoint ones are marked and scored, too.",
    )
    feature_paths: list[str] = Field(
        default=[],
        description="Paths of the video features in the feature store, such as layer_4/mean, side "
        "by side or, with roi_levels, one per level; empty: the path that alignment methods read "
        "by default (or mean in place of its map).",
    )
    text_path: str | None = Field(
        default=None,
        description="Path of caption features, such as text/pooled, for a third branch; "
        "null: none.",
    )
    smallest_recorded_share: float = Field(
        default=0.5, gt=0, le=1, description="Share of a window's BOLD that must not be censored."
    )
