"""Describe a published store as a readable tree: content, layout, statistics, provenance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from brainalign.stores.contracts import CONTRACTS
from brainalign.stores.inspect_file import describe_file
from brainalign.stores.inspect_folder import describe_folder_content, format_size
from brainalign.stores.manifest import Manifest, read_manifest
from brainalign.stores.read import iterate_blocks, open_store

_EXAMPLES = 3
_SHORT_DIGEST = 12


def describe_store(path: Path, statistics: bool = True) -> str:
    """Describe a published store or folder for a reader at a terminal.

    Parameters
    ----------
    path : Path
        A store of any kind, a published folder of raw data, a backbone, a model or a report, or
        one file, such as a table or a log.
    statistics : bool
        Whether to read all values for minimum, mean, maximum, standard deviation and the share
        that is missing. They are read block by block, so memory stays bounded.

    Returns
    -------
    description : str
        Several lines: kind, digest and size; provenance; then each group with its dimensions
        and variables, or what the folder holds.

    Raises
    ------
    InputError
        If nothing is there.
    CorruptDataError
        If it was never published, breaks its contract, or a chunk or file does not decode.

    Notes
    -----
    Does not recompute checksums; ``brainalign verify`` does.
    """
    path = Path(path)
    if path.is_file():
        described = "\n".join(describe_file(path, str(path)))
        return described or f"{path}  {format_size(path.stat().st_size)}"
    manifest = read_manifest(path)
    lines = [*_describe_header(path, manifest), *_describe_provenance(manifest.provenance)]
    if manifest.kind in CONTRACTS:
        lines += _describe_tree(open_store(path, manifest.kind), manifest, statistics)
    else:
        lines += describe_folder_content(path, manifest, statistics)
    return "\n".join(lines)


def _describe_header(path: Path, manifest: Manifest) -> Iterator[str]:
    size = sum(entry["size"] for entry in manifest.files.values())
    digest = manifest.digest[:_SHORT_DIGEST]
    yield f"{manifest.kind}  {path}"
    yield f"  digest {digest}, {len(manifest.files)} files, {format_size(size)}"


def _describe_provenance(provenance: Mapping[str, Any]) -> Iterator[str]:
    if not provenance:
        yield "  provenance: none recorded"
        return
    yield "provenance"
    for name, value in provenance.items():
        if isinstance(value, Mapping):
            if name == "inputs":
                value = {role: str(digest)[:_SHORT_DIGEST] for role, digest in value.items()}
            value = _format_mapping(value)
        yield f"  {name}: {value}"


def _format_mapping(mapping: Mapping[str, Any], prefix: str = "") -> str:
    """Write nested options on one line, ``optimizer.rate=0.1 seed=0``."""
    parts = []
    for name, value in mapping.items():
        if isinstance(value, Mapping) and value:
            parts.append(_format_mapping(value, f"{prefix}{name}."))
        else:
            parts.append(f"{prefix}{name}={value}")
    return " ".join(parts) if parts else "none"


def _describe_tree(tree: xr.DataTree, manifest: Manifest, statistics: bool) -> Iterator[str]:
    for node in tree.subtree:
        dataset = node.to_dataset(inherit=False)
        yield f"{node.path}  {_format_dimensions(dataset.sizes)}".rstrip()
        # The root repeats the provenance, which is shown above.
        if node.path != "/":
            for name, value in dataset.attrs.items():
                yield f"  @{name}: {value}"
        for name, variable in dataset.variables.items():
            inside = f"{node.path.strip('/')}/{name}".lstrip("/")
            stored = _count_stored_bytes(manifest, inside)
            yield from _describe_variable(str(name), variable, stored, statistics)


def _describe_variable(
    name: str, variable: xr.Variable, stored_bytes: int, statistics: bool
) -> Iterator[str]:
    units = variable.attrs.get("units")
    long_name = variable.attrs.get("long_name")
    title = f"  {name}  {_format_dimensions(variable.sizes)} {_name_type(variable)}"
    yield title + (f" [{units}]" if units else "") + (f"  {long_name}" if long_name else "")
    memory = "" if _name_type(variable) == "text" else f"{format_size(variable.nbytes)} as "
    yield f"      {_format_layout(variable)}, {memory}{format_size(stored_bytes)} on disk"
    if statistics and variable.size:
        is_text = _name_type(variable) == "text"
        yield f"      {_summarise_text(variable) if is_text else _summarise_numbers(variable)}"


def _format_dimensions(sizes: Mapping[Any, int]) -> str:
    return f"({', '.join(f'{name} {length}' for name, length in sizes.items())})" if sizes else ""


def _name_type(variable: xr.Variable) -> str:
    return "text" if variable.dtype.kind in "OUT" else str(variable.dtype)


def _format_layout(variable: xr.Variable) -> str:
    chunks, shards = variable.encoding.get("chunks"), variable.encoding.get("shards")
    if not chunks:
        return "one chunk"
    layout = f"chunks {' x '.join(map(str, chunks))}"
    return layout + (f" in shards {' x '.join(map(str, shards))}" if shards else "")


def _count_stored_bytes(manifest: Manifest, inside: str) -> int:
    return sum(
        entry["size"]
        for name, entry in manifest.files.items()
        if name == f"{inside}/c" or name.startswith(f"{inside}/c/")
    )


def _summarise_text(variable: xr.Variable) -> str:
    labels: set[str] = set()
    n_empty = 0
    for block in iterate_blocks(variable):
        texts = [str(label) for label in block.ravel()]
        labels.update(texts)
        n_empty += texts.count("")
    examples = ", ".join(f"'{label}'" for label in sorted(labels - {""})[:_EXAMPLES])
    more = ", ..." if len(labels) > _EXAMPLES else ""
    summary = f"{len(labels)} distinct: {examples}{more}"
    return summary + (f"; {n_empty} empty" if n_empty else "")


def _summarise_numbers(variable: xr.Variable) -> str:
    if variable.dtype.kind not in "fiub":
        return "no statistics for this type"
    moments = RunningMoments()
    for block in iterate_blocks(variable):
        moments.add(block)
    missing = f"missing {100 * moments.n_missing / variable.size:.3g} %"
    infinite = f", infinite {moments.n_infinite}" if moments.n_infinite else ""
    if not moments.count:
        return f"no finite value, {missing}{infinite}"
    return (
        f"min {moments.minimum:.4g}, mean {moments.mean:.4g}, max {moments.maximum:.4g}, "
        f"sd {moments.standard_deviation:.4g}, {missing}{infinite}"
    )


@dataclass
class RunningMoments:
    """Moments of an array that is seen block by block.

    Attributes
    ----------
    count : int
        Finite values so far; only these enter the other statistics.
    n_missing, n_infinite : int
        Values left out: NaN, and plus or minus infinity.
    minimum, maximum, mean : float
        Of the finite values.

    Notes
    -----
    Blocks are merged as in Chan, Golub and LeVeque (1983), which stays exact where the mean is
    large against the spread.
    """

    count: int = 0
    n_missing: int = 0
    n_infinite: int = 0
    minimum: float = math.inf
    maximum: float = -math.inf
    mean: float = 0.0
    _squares: float = field(default=0.0, repr=False)

    def add(self, block: np.ndarray) -> None:
        """Take in one block of any shape; integers and booleans count as numbers."""
        values = block.astype(np.float64).ravel()
        n_missing = int(np.isnan(values).sum())
        finite = values[np.isfinite(values)]
        self.n_missing += n_missing
        self.n_infinite += values.size - finite.size - n_missing
        if not finite.size:
            return
        mean = float(finite.mean())
        total, shift = self.count + finite.size, mean - self.mean
        self._squares += float(np.square(finite - mean).sum())
        self._squares += shift**2 * self.count * finite.size / total
        self.mean += shift * finite.size / total
        self.count = total
        self.minimum = min(self.minimum, float(finite.min()))
        self.maximum = max(self.maximum, float(finite.max()))

    @property
    def standard_deviation(self) -> float:
        """Population standard deviation (divided by the count); NaN without values."""
        return math.sqrt(self._squares / self.count) if self.count else math.nan
