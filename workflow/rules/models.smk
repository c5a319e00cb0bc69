# Models: one job fits all seeds and folds of a method on a data set with a backbone.


rule image_prior:
    """Train the diffusion model of a data set's images, and predictors that read them."""
    input:
        stimuli=rules.stimuli.output.stimuli,
    output:
        prior=directory(f"{RESULTS}/priors/{{dataset}}/{{prior}}"),
    log:
        f"{RESULTS}/logs/image_prior/{{dataset}}/{{prior}}.log",
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=4000,
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
        unpack(get_experiment_inputs),
    output:
        model=directory(f"{RESULTS}/models/{{method}}/{{dataset}}/{{backbone}}"),
    log:
        f"{RESULTS}/logs/fit/{{method}}/{{dataset}}/{{backbone}}.log",
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        scratch=f"{RESULTS}/scratch/fit/{{method}}/{{dataset}}/{{backbone}}",
        prior=get_prior_flag,
        options=get_fit_options,
        code=get_fit_code,
    shell:
        "brainalign fit --method {wildcards.method:q} --dataset {wildcards.dataset:q}"
        " --backbone {wildcards.backbone:q} --stimuli {input.stimuli:q}"
        " --responses {input.responses:q} --features {input.features:q} {params.prior}"
        " --scratch {params.scratch:q} --options {params.options:q} --output {output.model:q}"
        " > {log:q} 2>&1"


rule predict:
    """Embed test stimuli and responses with a fitted method."""
    input:
        unpack(get_experiment_inputs),
        model=rules.fit.output.model,
    output:
        predictions=directory(
            f"{RESULTS}/predictions/{{method}}/{{dataset}}/{{backbone}}.zarr"
        ),
    log:
        f"{RESULTS}/logs/predict/{{method}}/{{dataset}}/{{backbone}}.log",
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        prior=get_prior_flag,
        options=get_prediction_options,
        code=get_prediction_code,
    shell:
        "brainalign predict --model {input.model:q} --method {wildcards.method:q}"
        " --dataset {wildcards.dataset:q} --backbone {wildcards.backbone:q}"
        " --stimuli {input.stimuli:q} --responses {input.responses:q}"
        " --features {input.features:q} {params.prior} --options {params.options:q}"
        " --output {output.predictions:q} > {log:q} 2>&1"
