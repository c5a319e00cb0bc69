# Models: one job fits all seeds and folds of a method on a data set with a backbone.


rule image_prior:
    """Train the diffusion model of a data set's images, and predictors that read them."""
    input:
        stimuli=rules.stimuli.output.stimuli,
    output:
        prior=directory(f"{RESULTS}/priors/{{dataset}}/{{prior}}"),
    log:
        f"{RESULTS}/logs/image_prior/{{dataset}}/{{prior}}.log",
    # The longest chain of the default run starts here: early, so that it does not end alone.
    priority: 20
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=get_prior_memory,
        runtime=720,
    params:
        scratch=f"{RESULTS}/scratch/image_prior/{{dataset}}/{{prior}}",
        options=get_prior_options,
        code=get_code("brainalign.methods.image_prior.command"),
    shell:
        "brainalign train-prior --dataset {wildcards.dataset:q} --prior {wildcards.prior:q}"
        " --stimuli {input.stimuli:q} --scratch {params.scratch:q} --options {params.options:q}"
        " --output {output.prior:q} > {log:q} 2>&1"


rule fit:
    """Fit one method with all seeds and folds."""
    input:
        unpack(get_fit_inputs),
    output:
        model=report(
            directory(f"{RESULTS}/models/{{method}}/{{dataset}}/{{backbone}}"),
            patterns=["{table,training}.csv"],
            caption="../report/training.rst",
            category="3. Training",
            subcategory="{dataset}",
            labels={"method": "{method}", "backbone": "{backbone}"},
        ),
    log:
        f"{RESULTS}/logs/fit/{{method}}/{{dataset}}/{{backbone}}.log",
    priority: 10
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=get_fit_memory,
        runtime=240,
        gpu=get_gpus,
    params:
        scratch=f"{RESULTS}/scratch/fit/{{method}}/{{dataset}}/{{backbone}}",
        tracking=f"{RESULTS}/tracking",
        features=get_backbone_flag,
        prior=get_prior_flag,
        options=get_fit_options,
        code=get_fit_code,
    shell:
        "brainalign fit --method {wildcards.method:q} --dataset {wildcards.dataset:q}"
        " --backbone {wildcards.backbone:q} --stimuli {input.stimuli:q}"
        " --responses {input.responses:q} {params.features} {params.prior}"
        " --scratch {params.scratch:q} --tracking {params.tracking:q}"
        " --options {params.options:q} --output {output.model:q} > {log:q} 2>&1"


rule predict:
    """Embed test stimuli and responses with a fitted method."""
    input:
        unpack(get_fit_inputs),
        model=rules.fit.output.model,
    output:
        predictions=directory(
            f"{RESULTS}/predictions/{{method}}/{{dataset}}/{{backbone}}.zarr"
        ),
    log:
        f"{RESULTS}/logs/predict/{{method}}/{{dataset}}/{{backbone}}.log",
    priority: 5
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=get_prediction_memory,
        runtime=60,
        gpu=get_gpus,
    params:
        features=get_backbone_flag,
        prior=get_prior_flag,
        options=get_prediction_options,
        code=get_prediction_code,
    shell:
        "brainalign predict --model {input.model:q} --method {wildcards.method:q}"
        " --dataset {wildcards.dataset:q} --backbone {wildcards.backbone:q}"
        " --stimuli {input.stimuli:q} --responses {input.responses:q}"
        " {params.features} {params.prior} --options {params.options:q}"
        " --output {output.predictions:q} > {log:q} 2>&1"


rule encode:
    """Fit a linear encoding model per unit of one subject; made on request only."""
    input:
        unpack(get_encoding_inputs),
    output:
        encoding=directory(
            f"{RESULTS}/encoding/{{dataset}}/{{backbone}}/{{subject}}.zarr"
        ),
    log:
        f"{RESULTS}/logs/encode/{{dataset}}/{{backbone}}/{{subject}}.log",
    conda:
        "../../envs/base.yaml"
    threads: CONFIG.arrays.n_workers if CONFIG.arrays.cluster == "local" else 1
    resources:
        mem_mb=1000 + CONFIG.arrays.memory_mb * CONFIG.arrays.n_workers,
        runtime=240,
    params:
        scratch=f"{RESULTS}/scratch/encode/{{dataset}}/{{backbone}}/{{subject}}",
        options=get_encoding_options,
        code=get_code("brainalign.methods.encode_command"),
    shell:
        "brainalign encode --dataset {wildcards.dataset:q} --backbone {wildcards.backbone:q}"
        " --stimuli {input.stimuli:q} --responses {input.responses:q}"
        " --features {input.features:q} --scratch {params.scratch:q}"
        " --options {params.options:q} --output {output.encoding:q} > {log:q} 2>&1"
