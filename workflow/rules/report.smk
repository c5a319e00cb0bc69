# Report: figures and one self-contained page.


rule report:
    """Draw the figures and write the page."""
    input:
        get_report_inputs,
    output:
        report=report(
            directory(f"{RESULTS}/report"),
            caption="../report/page.rst",
            htmlindex="index.html",
            category="Results",
        ),
    log:
        f"{RESULTS}/logs/report.log",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        results=RESULTS,
        code=get_code("brainalign.report.command"),
    conda:
        "../../envs/base.yaml"
    shell:
        "brainalign report --results {params.results:q} --inputs {input:q}"
        " --output {output.report:q} > {log:q} 2>&1"
