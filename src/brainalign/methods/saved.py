"""Fitted methods in folders: those that `save` wrote, and the model folders of a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from brainalign.errors import InputError
from brainalign.methods.method import Method, check_published
from brainalign.methods.registry import get_experiment_module, get_method
from brainalign.methods.weights import Weights, read_weights, select_weights
from brainalign.options import suggest_name

LAYOUTS: dict[str, str] = {
    "brainalign.methods.image_alignment": "area-{area}/seed-{seed}/fold-{fold}/",
    "brainalign.methods.labels.experiment": "part-{subject}/seed-{seed}/fold-{fold}/{variant}/",
    "brainalign.methods.movies.experiment": "subject-{subject}/{protocol}/fold-{fold}/seed-{seed}/",
    "brainalign.methods.clips.experiment": "subject-{subject}/seed-{seed}/",
    "brainalign.methods.mig_vis.experiment": "subject-{subject}/area-{area}/seed-{seed}/{variant}/",
}
"""How each experiment module prefixes the weights of its fits, as its `name_part` does."""

_ALL = "all"
# What is taken where several fits differ in it and the caller names none.
_PREFERRED = {"area": (_ALL,), "variant": ("tuned", "full")}


def load_method(
    folder: Path | str,
    *,
    subject: str | None = None,
    area: str | None = None,
    seed: int | None = None,
    fold: int | None = None,
    protocol: str | None = None,
    variant: str | None = None,
) -> Method:
    """Read a fitted method of any kind, saved by hand or published by a run.

    Parameters
    ----------
    folder : path
        As written by ``method.save(folder)``, or ``results/models/{method}/{dataset}/{backbone}``
        of a run, which holds one fit per subject or area, seed and fold: the arguments choose.
    subject : str, optional
        Whose fit; needed where each subject has its own and there are several.
    area : str, optional
        Whose units; ``all`` where None.
    seed, fold : int, optional
        The lowest where None. Methods without randomness have one fit for all seeds.
    protocol : str, optional
        How movies were split; needed where there are several.
    variant : str, optional
        ``untuned`` for new subjects of CLIP-MUSED before tuning; an objective of MIG-Vis.

    Returns
    -------
    method : Method
        Of the class that the registry has under its name; ready to predict.

    Raises
    ------
    InputError
        There is no such fit; those that are there are named.
    CorruptDataError
        A file is damaged.
    """
    path = Path(folder)
    wanted = {"subject": subject, "area": area, "seed": seed, "fold": fold}
    wanted |= {"protocol": protocol, "variant": variant}
    given = {key: str(value) for key, value in wanted.items() if value is not None}
    weights, description = read_weights(path)
    name = description.get("method") if isinstance(description, dict) else None
    if not isinstance(name, str):
        raise InputError("options.json names no method", where=path)
    method_class = get_method(name)
    if "seeds" not in description:
        if given:
            raise InputError(
                "the folder holds a single fit, so there is nothing to choose",
                where=path,
                found=", ".join(f"{key}={value}" for key, value in given.items()),
            )
        return method_class.load(path)
    check_published(path)
    known = list_parts(name, weights)
    # Fits that do not depend on the seed stand under the first one only.
    seeds = {part["seed"] for part in known.values()}
    if given.get("seed") in {str(one) for one in description["seeds"]} - seeds:
        del given["seed"]
    prefix = _choose_part(known, given, path)
    options = method_class.choose_part_options(description["options"], known[prefix])
    return method_class.restore(options, select_weights(weights, prefix), where=f"{path}: {prefix}")


def list_parts(method: str, weights: Weights) -> dict[str, dict[str, str]]:
    """List the fits in a model folder of a run.

    Parameters
    ----------
    method : str
        Name in the registry.
    weights : dict of str to array
        All weights of the folder.

    Returns
    -------
    parts : dict of str to dict of str to str
        By the prefix of its weights: subject, area, seed … of each fit.
    """
    layout = LAYOUTS[get_experiment_module(method)]
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", layout))
    matches = (pattern.match(name) for name in weights)
    return {match.group(): match.groupdict() for match in matches if match}


def _choose_part(known: dict[str, dict[str, str]], given: dict[str, str], where: Path) -> str:
    """Narrow the fits down key by key; what is not given and not unique needs a rule."""
    remaining = dict(known)
    keys: list[str] = list(next(iter(known.values()))) if known else []
    unknown = sorted(set(given) - set(keys))
    if unknown:
        raise InputError(
            f"the fits in this folder do not differ in {unknown[0]}",
            where=where,
            expected=f"a choice among {', '.join(keys) or 'nothing'}",
        )
    for key in keys:
        values = sorted({part[key] for part in remaining.values()}, key=_sort_key)
        chosen = _choose_value(key, values, given.get(key), where)
        remaining = {prefix: part for prefix, part in remaining.items() if part[key] == chosen}
    return next(iter(remaining))


def _choose_value(key: str, values: list[str], given: str | None, where: Path) -> str:
    if given is not None:
        if given in values:
            return given
        # One fit of everyone serves each subject.
        if key == "subject" and values == [_ALL]:
            return _ALL
        raise InputError(
            f"no fit with {key} '{given}'", where=where, remedy=suggest_name(given, values)
        )
    preferred = [value for value in values if value in _PREFERRED.get(key, ())]
    if len(values) == 1 or key in ("seed", "fold"):
        return values[0]
    if preferred:
        return preferred[0]
    raise InputError(
        f"there are fits of several kinds of {key}",
        where=where,
        found=", ".join(values),
        remedy=f"Choose one with {key}=….",
    )


def _sort_key(value: str) -> tuple[Any, ...]:
    return (0, int(value), "") if value.isdigit() else (1, 0, value)
