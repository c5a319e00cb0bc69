"""What overview, comparison and yardsticks must say, worked out anew from the tables."""

from __future__ import annotations

import re

import pandas as pd

from brainalign.report.names import write_metric, write_name, write_task
from page_claims.claims import INTERVAL, Claims, read_numbers, split_caption
from page_claims.tables import ShownSection

_DASH = "\N{EN DASH}"
_PUBLISHED = {"vna", "neuroalign", "mig_vis", "clip_mused", "vi_st"}
_SUMMARISED = {
    "decoding top-1": ("discriminative_decoding", "top_1"),
    "mean average precision of decoded labels": ("label_decoding", "map"),
    "correlation with recorded rates": ("rate_prediction", "correlation"),
    "top-1 from BOLD to windows of video": ("window_bold_to_video", "top_1"),
}


def claim_yardsticks(section: ShownSection, scores: pd.DataFrame) -> Claims:
    """Compare layers, areas and read-outs."""
    claims = Claims()
    maps = {
        "normalised_pearson": "ridge encoding",
        "rsa_spearman": "representational similarity",
        "linear_cka": "linear CKA",
    }
    read_outs = {
        ("layer_encoding", "normalised_pearson"): "Ridge encoding",
        ("response_retrieval", "top_1"): "Response by prediction",
        ("stimulus_retrieval", "top_1"): "Prediction by response",
        ("category_decoding", "accuracy_from_responses"): "Category from responses",
        ("category_decoding", "accuracy_from_features"): "Category from layer",
    }
    for table in section.tables:
        dataset, rest = split_caption(table)
        by_layer = table.columns[1] == "Layer"
        what = rest.split(" by layer")[0] if by_layer else "read-outs"
        if not by_layer:
            dataset = dataset.removesuffix(", all areas")
        for row in table.rows:
            names = [row[0].text, row[1].text if by_layer else row[0].details[0]]
            start = 2 if by_layer else 1
            for column, cell in zip(table.columns[start:], row[start:], strict=True):
                claims.show((dataset, what, *names, column), cell.list_numbers())
    measured = scores[scores["method"] == "yardstick"]
    each = measured[(measured["matching"] == "each layer") & measured["metric"].isin(maps)]
    for place, own in each.groupby(["dataset", "metric", "backbone", "feature", "area"]):
        dataset, metric, backbone, layer, area = map(str, place)
        if own["value"].notna().any():
            numbers = [float(own["value"].mean())]
            claims.expect((dataset, maps[metric], write_name(backbone), layer, area), numbers)
    best = measured[(measured["matching"] != "each layer") & (measured["area"] == "all")]
    for _, row in best.iterrows():
        if column := read_outs.get((row["task"], row["metric"])):
            names = (write_name(row["backbone"]), row["subject"])
            numbers = read_numbers(row, *INTERVAL, "chance")
            claims.expect((row["dataset"], "read-outs", *names, column), numbers)
    return claims


def claim_comparison(section: ShownSection, comparisons: pd.DataFrame) -> Claims:
    """Compare all pairs, and the sentences that count what was found."""
    claims = Claims()
    for table in section.tables:
        dataset, _ = split_caption(table)
        for row in table.rows:
            pair, score, difference, corrected, p_value, pairs = row
            place = (dataset, pair.text, *pair.details, score.text)
            # The unit may have a number in its name: 8 x block of 30 TRs.
            pairs.details = [one.split(" x ")[0] for one in pairs.details]
            numbers = [score.details[0], *difference.list_numbers(), corrected.text, p_value.text]
            values = numbers.pop(0).split(" and ")
            claims.show(place, [*values, *numbers, *pairs.list_numbers()])
    for _, row in comparisons.iterrows():
        claims.expect(*_expect_pair(row))
    if len(comparisons):
        claims.problems += _check_counts(section, comparisons)
    return claims


def _expect_pair(row: pd.Series) -> tuple[tuple[str, ...], list[float]]:
    first, second, sign, interval = "a", "b", 1.0, ["ci_low", "ci_high"]
    if row["method_b"] in _PUBLISHED and row["method_a"] not in _PUBLISHED:
        first, second, sign, interval = "b", "a", -1.0, ["ci_high", "ci_low"]
    method, backbone = write_name(row[f"method_{first}"]), write_name(row[f"backbone_{first}"])
    if row["compared"] == "methods":
        names = [f"{method} less {write_name(row[f'method_{second}'])}", backbone]
    else:
        names = [method, f"{backbone} less {write_name(row[f'backbone_{second}'])}"]
    numbers = [row[f"value_{first}"], row[f"value_{second}"]]
    numbers += [sign * row[one] for one in ("difference", *interval)]
    numbers += [row[one] for one in ("p_corrected", "p_value", "n_pairs", "n_units")]
    return (row["dataset"], *names, _name_score(row)), list(map(float, numbers))


def _name_score(row: pd.Series) -> str:
    name = f"{write_task(row['task'])} {write_metric(row['metric'])}"
    return f"{name}, {row['protocol'].replace('_', ' ')}" if row["protocol"] else name


def _check_counts(section: ShownSection, comparisons: pd.DataFrame) -> list[str]:
    """Hold the sentences on what was found against the corrected p of all pairs."""
    counted = re.compile(
        r"(\S+) comparisons? corrected together: of the (\d+) shown, the first of the pair is "
        r"better in (\d+), worse in (\d+), and in (\d+) no difference was found"
    )
    said: dict[tuple[str, str], list[int]] = {}
    for dataset, text in section.texts:
        for sentence in text.split(". "):
            if match := counted.search(sentence):
                name = re.split(r", \d+ ", sentence)[0]
                said[dataset, name] = [int(one.replace(",", "")) for one in match.groups()]
    pairs = comparisons.assign(name=[_name_score(row) for _, row in comparisons.iterrows()])
    pairs["name"] = pairs["name"].str[:1].str.upper() + pairs["name"].str[1:]
    problems = []
    for (dataset, name), numbers in said.items():
        family = pairs[(pairs["dataset"] == dataset) & (pairs["name"] == name)]
        is_first = family["method_a"].isin(_PUBLISHED)
        shown = family[is_first | family["method_b"].isin(_PUBLISHED)]
        found = shown[shown["p_corrected"] < 0.05]
        gain = found["difference"].where(is_first[found.index], -found["difference"])
        gain *= -1.0 if set(family["direction"]) == {"lower"} else 1.0
        n_better = int((gain > 0).sum())
        counts = [len(family), len(shown), n_better, len(found) - n_better, len(shown) - len(found)]
        if counts != numbers:
            problems.append(f"{dataset}, {name}: the text counts {numbers}, the table {counts}")
    tested = pairs[pairs["method_a"].isin(_PUBLISHED) | pairs["method_b"].isin(_PUBLISHED)]
    return problems + [
        f"{dataset}: no sentence counts what was found"
        for dataset in dict.fromkeys(tested["dataset"])
        if dataset not in {name for name, _ in said}
    ]


def _pool(scores: pd.DataFrame) -> pd.DataFrame:
    """Take the rows that an overview may choose from: no folds, no areas, mean responses."""
    whole = scores[(scores["area"] == "all") & ~scores["matching"].str.contains(" on ")]
    whole = whole[(whole["response"] == "mean") & whole["value"].notna()]
    has_pooled = whole.groupby(["dataset", "method"])["subject"].transform(
        lambda one: "all" in set(one)
    )
    return whole[~has_pooled | (whole["subject"] == "all")]


def claim_matrix(section: ShownSection, scores: pd.DataFrame) -> Claims:
    """Hold the best score of every method and data set against all its rows."""
    claims = Claims()
    scores = scores[scores["method"] != "yardstick"]
    pooled = _pool(scores)
    names = {score: name for name, score in _SUMMARISED.items()}
    for table in section.tables:
        for heading, *cells in table.rows:
            for dataset, cell in zip(table.columns[1:], cells, strict=True):
                if re.match(r"[-\d]", cell.text):
                    claims.show((heading.text, dataset, *cell.details), [cell.text])
                elif cell.text == "run":
                    claims.show((heading.text, dataset), ["run"])
    named = {place[:2]: place for place in claims.shown}
    for (method, dataset), _ in scores.groupby(["method", "dataset"]):
        own = pooled[(pooled["method"] == method) & (pooled["dataset"] == dataset)]
        pair = (write_name(str(method)), str(dataset))
        found = {
            names.get(score, f"{write_task(score[0])}, {write_metric(score[1])}"): rows
            for score, rows in own.groupby(["task", "metric"])
        }
        # Which of its scores stands for a method is for the page to choose and to name.
        place = named.get(pair, pair)
        rows = found.get("".join(place[2:]))
        if rows is None:
            claims.problems.append(f"{pair}: the page names no score of this pair")
            continue
        is_lower = set(rows["direction"]) == {"lower"}
        claims.expect(place, [float(rows["value"].min() if is_lower else rows["value"].max())])
    return claims


def claim_summary(section: ShownSection, scores: pd.DataFrame) -> Claims:
    """Hold the sentence on the best method of each data set against all its rows."""
    claims = Claims()
    said = re.compile(
        r"(\S+): the highest (.+?) is (\S+) \[(\S+), (\S+)\], by (.+) \((.+)\) on (.+) "
        r"\(chance ([-.\d]+|\N{EN DASH}).*?; (?:no ceiling|ceiling (\S+))\)\..*"
    )
    for _, text in section.texts:
        if match := said.fullmatch(text):
            dataset, score, value, low, high, *names, chance, ceiling = match.groups()
            claims.show((dataset, score, *names), [value, low, high, chance, ceiling or _DASH])
    columns = ("method", "matching", "backbone")
    for dataset, own in _pool(scores).groupby("dataset", sort=False):
        for name, (task, metric) in _SUMMARISED.items():
            rows = own[(own["task"] == task) & (own["metric"] == metric)]
            if not len(rows):
                continue
            # Six digits may not tell the highest: any of those may be the one that is named.
            best = rows[rows["value"] >= rows["value"].max() * (1 - 1e-5)]
            places = {
                (str(dataset), name, *(write_name(row[one]) for one in columns)): row
                for _, row in best.iterrows()
            }
            named = next((place for place in places if place in claims.shown), next(iter(places)))
            claims.expect(named, read_numbers(places[named], *INTERVAL, "chance", "ceiling"))
    return claims
