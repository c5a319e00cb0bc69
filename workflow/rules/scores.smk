# Scores: with chance, ceiling and interval; one job collects them into one store.


# Seconds of work: the queue of a cluster would cost more.
localrules:
    collect,


rule score:
    """Score the predictions of one method on a data set with a backbone."""
    input:
        predictions=rules.predict.output.predictions,
    output:
        scores=directory(f"{RESULTS}/scores/{{method}}/{{dataset}}/{{backbone}}.zarr"),
    log:
        f"{RESULTS}/logs/score/{{method}}/{{dataset}}/{{backbone}}.log",
    wildcard_constraints:
        method="(?!yardstick/)[^/]+",
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        options=get_scores_options,
        code=get_code("brainalign.evaluation.score_command", *list_scorer_modules()),
    shell:
        "brainalign score --predictions {input.predictions:q} --options {params.options:q}"
        " --output {output.scores:q} > {log:q} 2>&1"


rule yardsticks:
    """Measure every layer of a backbone on a data set: encoding, RSA and CKA."""
    input:
        unpack(get_experiment_inputs),
    output:
        scores=directory(f"{RESULTS}/scores/yardstick/{{dataset}}/{{backbone}}.zarr"),
    log:
        f"{RESULTS}/logs/yardsticks/{{dataset}}/{{backbone}}.log",
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        options=get_yardsticks_options,
        code=get_code("brainalign.evaluation.yardsticks.command"),
    shell:
        "brainalign yardsticks --dataset {wildcards.dataset:q} --backbone {wildcards.backbone:q}"
        " --stimuli {input.stimuli:q} --responses {input.responses:q}"
        " --features {input.features:q} --options {params.options:q} --output {output.scores:q}"
        " > {log:q} 2>&1"


rule collect:
    """Join the scores of all experiments, and compare methods on the same queries."""
    input:
        scores=get_score_stores,
    output:
        store=directory(f"{RESULTS}/scores.zarr"),
        table=report(
            f"{RESULTS}/scores.csv",
            caption="../report/scores.rst",
            category="2. Scores",
            labels={"shows": "all scores"},
        ),
        comparisons=report(
            f"{RESULTS}/comparisons.csv",
            caption="../report/comparisons.rst",
            category="2. Scores",
            labels={"shows": "paired differences"},
        ),
    log:
        f"{RESULTS}/logs/collect.log",
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        options=get_comparison_options,
        code=get_code("brainalign.evaluation.collect_command"),
    shell:
        "brainalign collect --scores {input.scores:q} --options {params.options:q}"
        " --output {output.store:q} --table {output.table:q}"
        " --comparisons {output.comparisons:q} > {log:q} 2>&1"
