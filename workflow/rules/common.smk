# Helpers of the rules: configuration, paths, options and digests. Functions only, no rules.

import hashlib
import json
import shlex
import sys
from pathlib import Path

import brainalign.report
import brainalign.sorting
from brainalign.code_digest import compute_code_digest
from brainalign.config import job_options
from brainalign.config.load import load_config
from brainalign.config.matrix import compose_matrix
from brainalign.config.pairs import find_wrong_pairs
from brainalign.config.plan import Plan
from brainalign.config.validate_command import list_config_files
from brainalign.errors import BrainalignError
from brainalign.evaluation.registry import list_scorer_modules
from brainalign.methods.requirements import NO_BACKBONE
from brainalign.raw.registry import open_raw_dataset
from brainalign.sorting.environment import locate_environment, locate_python


def load_checked_config():
    """Load the same files that Snakemake merged, strictly, and stop at the first problem."""
    settings = workflow.config_settings
    given = [Path(path) for path in settings.configfiles]
    # As Snakemake does: the working folder's own file comes first, where there is one.
    return load_config(list_config_files(given), settings.config)


def stop_at_wrong_pairs(plan):
    """Stop before the first job at methods that do not fit their data sets, all of them listed."""
    problems = list(find_wrong_pairs(plan.config, plan))
    for problem in problems:
        print(f"brainalign: {problem}", file=sys.stderr)
    if problems:
        sys.exit(problems[0].exit_code)


def make_plan():
    """Derive what to run; data that cannot be listed stops the workflow with one line."""
    try:
        plan = Plan(load_checked_config())
        # Lists subjects now: an error inside a rule would come with a traceback.
        plan.list_targets()
        stop_at_wrong_pairs(plan)
        return plan
    except BrainalignError as error:
        print(f"brainalign: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


PLAN = make_plan()
CONFIG = PLAN.config
RESULTS = CONFIG.results
SORTING_PINS = Path(workflow.basedir) / "envs" / "sorting.txt"
SORTING_ENVIRONMENT = locate_environment(SORTING_PINS, RESULTS)


wildcard_constraints:
    dataset="[^/]+",
    subject="[^/]+",
    backbone="[^/]+",
    method="[^/]+",
    prior="[^/]+",
    shard="[0-9]+",


def get_final_targets():
    """Everything that the experiments of the configuration lead to."""
    return PLAN.list_targets()


def get_options(describe, *names):
    """Options of a job as JSON, for the command line and as a rerun trigger."""
    return json.dumps(describe(CONFIG, *names), sort_keys=True)


def get_code(*modules):
    """Digest of the code of a job, as a rerun trigger."""
    return compute_code_digest(modules)


def get_page_digest(wildcards):
    """Digest of the template and style of the page, which are no Python code."""
    folder = Path(brainalign.report.__file__).parent
    parts = [(folder / name).read_bytes() for name in ("page.html", "page.css")]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def get_world_options(wildcards):
    return get_options(job_options.describe_world)


def get_recording_options(wildcards):
    return get_options(job_options.describe_recording, wildcards.dataset)


def get_stimuli_options(wildcards):
    return get_options(job_options.describe_stimuli, wildcards.dataset)


def get_sorting_options(wildcards):
    return get_options(job_options.describe_sorting, wildcards.dataset)


def get_responses_options(wildcards):
    return get_options(job_options.describe_responses, wildcards.dataset)


def get_listing_options(wildcards):
    return get_options(job_options.describe_listing, wildcards.dataset)


def get_preprocessing_options(wildcards):
    return get_options(job_options.describe_preprocessing, wildcards.dataset)


def get_training_options(wildcards):
    return get_options(job_options.describe_backbone_training, wildcards.backbone)


def get_features_options(wildcards):
    return get_options(job_options.describe_features, wildcards.backbone)


def get_prior_options(wildcards):
    return get_options(job_options.describe_prior, wildcards.prior)


def get_fit_options(wildcards):
    return get_options(
        job_options.describe_fit,
        wildcards.method,
        wildcards.dataset,
        wildcards.backbone,
    )


def get_prediction_options(wildcards):
    return get_options(
        job_options.describe_prediction,
        wildcards.method,
        wildcards.dataset,
        wildcards.backbone,
    )


def get_encoding_options(wildcards):
    return get_options(
        job_options.describe_encoding, wildcards.dataset, wildcards.backbone
    )


def get_scores_options(wildcards):
    return get_options(job_options.describe_scores)


def get_comparison_options(wildcards):
    return get_options(job_options.describe_comparison)


def get_yardsticks_options(wildcards):
    return get_options(job_options.describe_yardsticks, wildcards.dataset)


def get_reader_code(wildcards, *modules):
    """Digest of a stage that reads raw data: its modules and the reader of the data set."""
    return get_code(*modules, PLAN.get_reader_module(wildcards.dataset))


def get_stimuli_code(wildcards):
    return get_reader_code(wildcards, "brainalign.stimuli.command")


def get_responses_code(wildcards):
    """Digest of building responses: also what builds them of this kind of recording."""
    return get_reader_code(
        wildcards,
        "brainalign.responses.command",
        PLAN.get_response_module(wildcards.dataset),
    )


def get_simulator_code(wildcards):
    return get_code(
        "brainalign.raw.simulate_command", PLAN.get_simulator_module(wildcards.dataset)
    )


def get_listing_code(wildcards):
    return get_reader_code(wildcards, "brainalign.raw.bids.command")


def get_preprocessing_code(wildcards):
    return get_reader_code(wildcards, "brainalign.raw.preprocessing.command")


def get_fit_code(wildcards):
    """Digest of fitting one method: other methods may change without a rerun."""
    return get_code(
        "brainalign.methods.fit_command", *PLAN.list_method_modules(wildcards.method)
    )


def get_prediction_code(wildcards):
    return get_code(
        "brainalign.methods.predict_command",
        *PLAN.list_method_modules(wildcards.method),
    )


def uses_conda():
    """Whether Snakemake builds the environments itself (--sdm conda)."""
    methods = workflow.deployment_settings.deployment_method
    return "conda" in {str(method) for method in methods}


def get_sorting_environment():
    """The sorting environment as an input, where the workflow builds it itself."""
    if uses_conda():
        return {}
    return {"environment": f"{SORTING_ENVIRONMENT}/environment.json"}


def get_sorting_program():
    """This package, run with the Python of the sorting environment."""
    python = "python" if uses_conda() else str(locate_python(SORTING_ENVIRONMENT))
    return f"{shlex.quote(python)} {shlex.quote(str(Path(brainalign.sorting.__file__).parent))}"


def get_sorting_inputs(wildcards):
    """Folders that sorting reads of a simulated recording; other recordings lie elsewhere."""
    if not PLAN.is_simulated(wildcards.dataset):
        return {}
    folders = {
        "recording": f"{RESULTS}/raw/{wildcards.dataset}",
        "world": f"{RESULTS}/raw/world",
    }
    if PLAN.has_electrodes(wildcards.dataset):
        folders["electrodes"] = f"{RESULTS}/electrodes/{wildcards.dataset}"
    return folders


def get_sorting_flags(wildcards):
    return get_flags(get_sorting_inputs(wildcards))


def get_recording_folder(dataset):
    """Where the spikes of a data set are, that this workflow simulates or sorts."""
    stage = "sorted" if PLAN.is_sorted(dataset) else "raw"
    return f"{RESULTS}/{stage}/{dataset}"


def get_simulated_inputs(wildcards):
    """Folders of the recording and world that are made here; nothing for those from elsewhere."""
    inputs = {}
    if PLAN.is_simulated(wildcards.dataset) or PLAN.is_sorted(wildcards.dataset):
        inputs["recording"] = get_recording_folder(wildcards.dataset)
    if PLAN.is_simulated(wildcards.dataset):
        inputs["world"] = f"{RESULTS}/raw/world"
    return inputs


def get_volume_inputs(wildcards):
    """The recording where it is simulated, and the listing of its files."""
    inputs = {"listing": f"{RESULTS}/listings/{wildcards.dataset}"}
    if PLAN.is_simulated(wildcards.dataset):
        inputs["recording"] = f"{RESULTS}/raw/{wildcards.dataset}"
    return inputs


def get_recording_input(wildcards):
    """The recording where it is simulated or sorted here."""
    dataset = wildcards.dataset
    if not (PLAN.is_simulated(dataset) or PLAN.is_sorted(dataset)):
        return {}
    return {"recording": get_recording_folder(dataset)}


def get_response_inputs(wildcards):
    """Recording, stimuli, listing and preprocessed volumes, as far as the plan has them."""
    inputs = get_recording_input(wildcards)
    # Frame clocks are repaired against the movies, which are the world's.
    is_simulated = PLAN.is_simulated(wildcards.dataset)
    if is_simulated and CONFIG.datasets[wildcards.dataset].design == "movies":
        inputs["world"] = f"{RESULTS}/raw/world"
    if PLAN.has_volumes(wildcards.dataset):
        inputs["listing"] = f"{RESULTS}/listings/{wildcards.dataset}"
    if PLAN.find_preprocessing(wildcards.dataset) is not None:
        folder = f"{RESULTS}/preprocessed/{wildcards.dataset}"
        inputs["preprocessed"] = f"{folder}/{wildcards.subject}"
    if PLAN.has_stimuli(wildcards.dataset):
        inputs["stimuli"] = f"{RESULTS}/stimuli/{wildcards.dataset}.zarr"
    return inputs


def get_feature_inputs(wildcards):
    """What one job extracts from, or the parts that several jobs have extracted."""
    n_shards = PLAN.count_shards(wildcards.backbone)
    if n_shards == 1:
        return get_extraction_inputs(wildcards)
    folder = f"{RESULTS}/features_parts/{wildcards.dataset}/{wildcards.backbone}"
    return {
        "stimuli": f"{RESULTS}/stimuli/{wildcards.dataset}.zarr",
        "parts": [f"{folder}/{shard}.zarr" for shard in range(n_shards)],
    }


def get_extraction_inputs(wildcards):
    """Stimuli, and the weights of a backbone that is trained on the world."""
    inputs = {"stimuli": f"{RESULTS}/stimuli/{wildcards.dataset}.zarr"}
    if PLAN.is_trained(wildcards.backbone):
        inputs["weights"] = f"{RESULTS}/backbones/{wildcards.backbone}"
    return inputs


def get_experiment_inputs(wildcards):
    """Stores of a data set and a backbone; methods without a backbone need no features."""
    inputs = {
        "stimuli": f"{RESULTS}/stimuli/{wildcards.dataset}.zarr",
        "responses": get_response_stores(wildcards.dataset),
    }
    if wildcards.backbone != NO_BACKBONE:
        features = f"{RESULTS}/features/{wildcards.dataset}/{wildcards.backbone}.zarr"
        inputs["features"] = features
    return inputs


def get_fit_inputs(wildcards):
    """Stores that fitting and predicting read, and the image prior of methods that use one."""
    inputs = get_experiment_inputs(wildcards)
    for role, prior in PLAN.get_priors(wildcards.method).items():
        inputs[role] = f"{RESULTS}/priors/{wildcards.dataset}/{prior}"
    return inputs


def get_encoding_inputs(wildcards):
    """Stores that the encoding models of one subject read."""
    return {
        "stimuli": f"{RESULTS}/stimuli/{wildcards.dataset}.zarr",
        "responses": f"{RESULTS}/responses/{wildcards.dataset}/{wildcards.subject}.zarr",
        "features": f"{RESULTS}/features/{wildcards.dataset}/{wildcards.backbone}.zarr",
    }


def get_response_stores(dataset):
    return [
        f"{RESULTS}/responses/{dataset}/{subject}.zarr"
        for subject in PLAN.list_subjects(dataset)
    ]


def get_score_stores(wildcards):
    return PLAN.list_score_stores()


def get_report_inputs(wildcards):
    """Everything that the page shows."""
    return PLAN.list_report_inputs()


def get_matrix(wildcards):
    """Which methods can run on which data sets and why, for the overview of the page."""
    matrix = {}
    for row in compose_matrix(CONFIG).itertuples():
        matrix.setdefault(row.dataset, {})[row.method] = [row.state, row.reason]
    return json.dumps(matrix, sort_keys=True)


def get_results_folder(wildcards):
    return RESULTS


def get_gpus(wildcards):
    """GPUs of a job that computes with torch: one where the configuration asks for CUDA.

    With `device: auto` none is requested: the machine that plans may not be the one that computes.
    """
    return 1 if CONFIG.device == "cuda" else 0


def get_feature_gpus(wildcards):
    """GPUs of a job that extracts features; joining shards computes nothing."""
    return get_gpus(wildcards) if PLAN.count_shards(wildcards.backbone) == 1 else 0


def get_flags(inputs):
    """Turn named inputs into command-line arguments; paths may hold spaces."""
    return " ".join(
        f"--{name} {shlex.quote(value)}" for name, value in sorted(inputs.items())
    )


def get_simulated_flags(wildcards):
    return get_flags(get_simulated_inputs(wildcards))


def get_response_flags(wildcards):
    return get_flags(get_response_inputs(wildcards))


def get_recording_flag(wildcards):
    return get_flags(get_recording_input(wildcards))


def get_volume_flags(wildcards):
    return get_flags(get_volume_inputs(wildcards))


def get_preprocessing_threads(wildcards):
    return PLAN.get_preprocessing_resources(wildcards.dataset)[0]


def get_preprocessing_memory(wildcards):
    return PLAN.get_preprocessing_resources(wildcards.dataset)[1]


def get_fit_memory(wildcards):
    return PLAN.get_fit_memory(wildcards.method, wildcards.dataset)


def get_prediction_memory(wildcards):
    return PLAN.get_method_memory(wildcards.method, wildcards.dataset)


def get_prior_memory(wildcards):
    return PLAN.get_prior_memory(wildcards.prior)


def get_response_threads(wildcards):
    return PLAN.get_response_threads(wildcards.dataset)


def get_weights_flag(wildcards):
    inputs = get_extraction_inputs(wildcards)
    return get_flags({name: inputs[name] for name in inputs if name == "weights"})


def get_prior_flag(wildcards):
    inputs = get_fit_inputs(wildcards)
    roles = PLAN.get_priors(wildcards.method)
    return get_flags({name: inputs[name] for name in inputs if name in roles})


def get_backbone_flag(wildcards):
    """The features that a method reads, where it has a backbone."""
    inputs = get_experiment_inputs(wildcards)
    return get_flags({name: inputs[name] for name in inputs if name == "features"})


def get_feature_flags(wildcards):
    """The weights to extract with, or the parts to join."""
    parts = get_feature_inputs(wildcards).get("parts")
    if parts is None:
        return get_weights_flag(wildcards)
    return "--parts " + " ".join(shlex.quote(part) for part in parts)
