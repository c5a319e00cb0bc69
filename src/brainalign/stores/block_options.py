"""Options of work on arrays that exceed memory; imports no dask."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from brainalign.options import Options


class ArrayOptions(Options):
    """How arrays that exceed memory are worked through, block of units by block of units."""

    cluster: Literal["local", "slurm"] = Field(
        "local",
        description="Where dask works on the blocks: in the job itself, or in SLURM jobs that it "
        "submits.",
    )
    memory_mb: int = Field(
        1000,
        description="Memory in MB (2^20 bytes) that the blocks of one worker may take, beside "
        "the program itself and the features.",
        ge=8,
    )
    n_workers: int = Field(
        1, description="Blocks at a time: threads of the job, or SLURM jobs.", ge=1
    )
    partition: str | None = Field(None, description="SLURM partition; null: the default one.")
    account: str | None = Field(None, description="SLURM account; null: the default one.")
    runtime_min: int = Field(120, description="Time limit of a SLURM job in minutes.", ge=1)
