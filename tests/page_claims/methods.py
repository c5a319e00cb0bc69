"""What the sections about methods must say, worked out anew from scores.csv."""

from __future__ import annotations

import math
import re

import pandas as pd

from brainalign.report.names import write_metric, write_name, write_task
from page_claims.claims import INTERVAL, Claims, agree, pool_subjects, read_numbers, split_caption
from page_claims.tables import ShownSection


def claim_scores(section: ShownSection, scores: pd.DataFrame) -> Claims:
    """Compare matching of responses and stimuli."""
    claims = Claims()
    kinds = {
        "mean responses over repeats": "mean",
        "the other metrics": "mean",
        "single presentations": "single",
        "mean responses, each subject alone": "subject",
        "mean responses, each area alone": "area",
    }
    for table in section.tables:
        dataset, rest = split_caption(table)
        kind = next(one for start, one in kinds.items() if rest.startswith(start))
        for heading, *cells in table.rows:
            for column, cell in zip(table.columns[1:], cells, strict=True):
                place = (dataset, kind, heading.text, *heading.details, column)
                claims.show(place, cell.list_numbers())
    matched = scores["task"].str.startswith("discriminative_") & (scores["method"] != "yardstick")
    headline = scores["metric"].isin(["top_1", "identification_2_way", "median_rank"])
    mean, whole = scores["response"] == "mean", scores["area"] == "all"
    parts = {
        "mean": (mean & whole, True),
        "single": (~mean & whole & headline, True),
        "subject": (mean & whole & headline & (scores["subject"] != "all"), False),
        "area": (mean & ~whole & headline, True),
    }
    for kind, (chosen, is_pooled) in parts.items():
        for dataset, own in scores[matched & chosen].groupby("dataset", sort=False):
            rows = (
                own[own["subject"] == "all"] if is_pooled and "all" in set(own["subject"]) else own
            )
            if kind in ("subject", "area") and rows[kind].nunique() < 2:
                continue
            known = rows.groupby(["task", "metric"])["value"].transform(
                lambda one: one.notna().any()
            )
            for _, row in rows[known].iterrows():
                names = [row[kind]] if kind in ("subject", "area") else []
                names += [write_name(row["matching"]), write_name(row["backbone"])]
                column = f"{write_task(row['task']).capitalize()} {write_metric(row['metric'])}"
                heading = (write_name(row["method"]), " · ".join(filter(None, names)))
                columns = ("value", "seed_sd", "ci_low", "ci_high", "chance", "ceiling")
                numbers = read_numbers(row, *columns, optional=("seed_sd",))
                claims.expect((str(dataset), kind, *heading, column), numbers)
    return claims


def claim_labels(section: ShownSection, scores: pd.DataFrame) -> Claims:
    """Compare decoded labels and tokens."""
    claims = Claims()
    metrics = {"map": "mean average precision", "auc": "AUC", "hamming": "Hamming loss"}
    variants = {"labels": "as fitted", "labels_swapped": "swapped subjects"}
    for table in section.tables:
        dataset, rest = split_caption(table)
        kind = "tokens" if rest.startswith("what the tokens") else "labels"
        for row in table.rows:
            n_headings = len(row) - (4 if kind == "tokens" else 3)
            names = [cell.text for cell in row[:n_headings]]
            for column, cell in zip(table.columns[n_headings:], row[n_headings:], strict=True):
                claims.show((dataset, kind, *names, column), cell.list_numbers())
    labels = scores[scores["task"] == "label_decoding"]
    for dataset, pooled in pool_subjects(labels):
        single = labels[(labels["dataset"] == dataset) & (labels["subject"] != "all")]
        for rows, keys in ((pooled, []), (single, ["subject"])):
            if keys and single["subject"].nunique() < 2:
                continue
            for _, row in rows.iterrows():
                matching = row["matching"]
                other = "new subject, not tuned" if "untuned" in matching else matching
                names = [write_name(row[one]) for one in (*keys, "method")]
                names += [variants.get(matching, other), write_name(row["backbone"])]
                columns = ("value", "seed_sd", "ci_low", "ci_high", "chance")
                claims.expect(
                    (dataset, "labels", *names, metrics[row["metric"]]),
                    read_numbers(row, *columns, optional=("seed_sd",)),
                )
    shown = {"Score": ["value"], "Interval": ["ci_low", "ci_high"], "Chance": ["chance"]}
    shown["SD over seeds"] = ["seed_sd"]
    for dataset, pooled in pool_subjects(
        scores[scores["task"].isin(["token_rsa", "token_retrieval"])]
    ):
        for _, row in pooled.iterrows():
            names = (write_name(row["method"]), write_name(row["task"]))
            what = row["metric"].replace("_", " ")
            for column, columns in shown.items():
                numbers = read_numbers(row, *columns)
                if not all(map(math.isnan, numbers)):
                    claims.expect((dataset, "tokens", *names, what, column), numbers)
    return claims


def claim_rates(section: ShownSection, scores: pd.DataFrame) -> Claims:
    """Compare predicted rates."""
    claims = Claims()
    headline = {
        "correlation": "CC",
        "normalised_correlation": "Normalised CC",
        "bits_per_spike": "Bits per spike",
        "sd_kl_code_0.5_median": "SD-KL",
        "correlation_reversed_stimulus": "Reversed",
        "correlation_shuffled_stimulus": "Shuffled",
    }
    for table in section.tables:
        dataset, rest = split_caption(table)
        kind = "undefined" if rest.startswith("cells whose") else "scores"
        n_headings = table.columns.index("Backbone") + 1
        for row in table.rows:
            names = [cell.text for cell in row[:n_headings]]
            for column, cell in zip(table.columns[n_headings:], row[n_headings:], strict=True):
                claims.show((dataset, kind, *names, column), cell.list_numbers())
    rated = scores[scores["task"] == "rate_prediction"]
    is_fold, is_count = (
        rated["matching"].str.contains(" on "),
        rated["metric"].str.contains("_with_"),
    )
    keys = ["method", "matching", "backbone"]
    for dataset, pooled in pool_subjects(rated[~is_count]):
        whole = rated[(rated["dataset"] == dataset) & ~is_fold & ~is_count]
        single = whole[(whole["subject"] != "all") & whole["metric"].isin(headline)]
        several = single["subject"].nunique() > 1
        fold = pooled["matching"].str.contains(" on ") & ~pooled["metric"].isin(headline)
        for rows, names in ((pooled[~fold], keys), (single, ["subject", *keys])):
            if "subject" in names and not several:
                continue
            for _, row in rows[rows["value"].notna()].iterrows():
                other = row["metric"].replace("sd_kl_", "SD-KL ").replace("_", " ")
                place = [write_name(row[one]) for one in names]
                columns = ("value", "seed_sd", "ci_low", "ci_high", "chance", "ceiling")
                claims.expect(
                    (dataset, "scores", *place, headline.get(row["metric"], other)),
                    read_numbers(row, *columns, optional=("seed_sd", "chance", "ceiling")),
                )
    counts = rated[is_count & ~is_fold]
    split = counts["metric"].str.split("_cells_with_")
    counts = counts.assign(kind=split.str[0], reason=split.str[1])
    for place, own in counts.groupby(["dataset", *keys, "kind"]):
        mean = own.groupby("reason")["value"].mean()
        reasons = ("few_events", "zero_variance", "underflow")
        dataset, *names, kind = map(str, place)
        column = kind.replace("sd_kl_", "SD-KL ").replace("_", " ")
        numbers = [float(mean.get(reason, 0.0)) for reason in reasons]
        claims.expect((dataset, "undefined", *map(write_name, names), column), numbers)
    return claims


def claim_windows(section: ShownSection, scores: pd.DataFrame) -> Claims:
    """Compare retrieval of windows and the same-code rate."""
    claims = Claims()
    headline = {
        "BOLD to video, R@1": ("window_bold_to_video", "top_1"),
        "R@5": ("window_bold_to_video", "top_5"),
        "R@10": ("window_bold_to_video", "top_10"),
        "MRR": ("window_bold_to_video", "mean_reciprocal_rank"),
        "median rank": ("window_bold_to_video", "median_rank"),
        "32-way": ("window_bold_to_video", "identification_32_way"),
        "video to BOLD, R@1": ("window_video_to_bold", "top_1"),
        "disjoint, R@1": ("disjoint_bold_to_video", "top_1"),
        "same segment, R@1": ("segment_bold_to_video", "top_1"),
        "single TRs, R@1": ("moment_bold_to_video", "top_1"),
    }
    for table in section.tables:
        dataset, rest = split_caption(table)
        columns = [column for column in table.columns if column in headline]
        n_headings = 3
        if rest.startswith("every metric"):
            n_headings = 4
            columns = table.columns[n_headings:]
        elif rest.startswith("the shared codebook"):
            # The use of codes stands in a table of its own behind the scores.
            n_headings, columns = 2, ["Same code"]
        for row in table.rows:
            names = [cell.text for cell in row[:n_headings]]
            cells = dict(zip(table.columns, row, strict=True))
            for column in columns:
                claims.show((dataset, *names, column), cells[column].list_numbers())
    asked = scores[scores["task"].str.contains("_bold_to_video|_video_to_bold")]
    for dataset, pooled in pool_subjects(asked):
        for _, row in pooled.iterrows():
            names = [write_name(row[one]) for one in ("method", "matching", "backbone")]
            numbers = read_numbers(row, *INTERVAL, "chance", "ceiling", "n_candidates")
            task = write_task(row["task"]).replace("bold", "BOLD")
            claims.expect((dataset, *names, task, write_metric(row["metric"])), numbers)
            for column, score in headline.items():
                if score == (row["task"], row["metric"]):
                    claims.expect((dataset, *names, column), numbers)
    for _, row in scores[scores["task"] == "code_agreement"].iterrows():
        if row["subject"] != "all":
            place = (row["dataset"], write_name(row["method"]), row["subject"], "Same code")
            claims.expect(place, read_numbers(row, *INTERVAL, "chance"))
    return claims


_LISTED_BY_SEED = ("dependence of groups (nats)", "agreement over seeds")
_WHOLE = {"R²": "R² of responses"}


def claim_latents(section: ShownSection, scores: pd.DataFrame) -> Claims:
    """Compare latent groups, edits, and what is said of them."""
    claims = Claims()
    for table in section.tables:
        columns = table.columns
        n_headings = columns.index("score") if "score" in columns else 2 + int("group" in columns)
        for row in table.rows:
            names = (f"{one.text} {one.note}".strip() for one in row[:n_headings])
            subject, variants, *more = names
            for column, cell in zip(columns[n_headings:], row[n_headings:], strict=True):
                if column in _LISTED_BY_SEED:
                    continue
                # Variants with the same latents share a row.
                for variant in re.split(", | and ", variants):
                    place = (table.heading, subject, variant, *more, column)
                    claims.show(place, cell.list_numbers())
    decided = set(scores.loc[scores["task"] == "label_information", "method"])
    for _, row in scores[scores["method"].isin(decided)].iterrows():
        area = "" if row["area"] == "all" else row["area"]
        fit = f"{row['dataset']}, {write_name(row['method'])}"
        place = [fit, f"{row['subject']} {area}".strip(), write_name(row["matching"])]
        numbers = read_numbers(row, *INTERVAL)
        if row["task"] in ("label_information", "reconstruction"):
            group = [row["response"]] if row["task"] == "label_information" else []
            metric = write_name(row["metric"]).replace("r2", "R²")
            place += [*group, metric if group else _WHOLE.get(metric, metric)]
            claims.expect(tuple(place), [one for one in numbers if not math.isnan(one)])
            continue
        seed = "" if row["seed"] == "all" else f" seed {row['seed']}"
        place += [row["response"], write_name(row["task"]), write_metric(row["metric"]) + seed]
        claims.expect((*place, "score"), numbers)
        if not math.isnan(row["chance"]):
            claims.expect((*place, "chance"), [float(row["chance"])])
    margins = scores[scores["metric"].str.endswith("_margin")]
    said = re.compile(r"Group (\S+) moves (\S+) .*: difference (\S+) \[(\S+), (\S+)\]\.")
    for heading, text in section.texts:
        if match := said.fullmatch(text):
            group, label, *numbers = match.groups()
            rows = margins[(margins["response"] == group) & margins["metric"].str.startswith(label)]
            if not any(agree(numbers, read_numbers(row, *INTERVAL)) for _, row in rows.iterrows()):
                claims.problems.append(f"{heading}: no score is what is said: {text}")
    return claims
