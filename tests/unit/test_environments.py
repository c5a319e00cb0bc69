"""The environments in envs/ agree with each other and never ask for CUDA by accident."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ENVIRONMENTS = Path(__file__).parents[2] / "envs"


def read_pins(name: str) -> list[str]:
    lines = (ENVIRONMENTS / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-r"))]


def test_conda_environment_repeats_the_pins():
    content = yaml.safe_load((ENVIRONMENTS / "base.yaml").read_text())
    pip = next(entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict))
    torch = [pin.split(";")[0] for pin in read_pins("cpu.txt") if "+cpu" in pin]
    assert pip == read_pins("base.txt") + torch


def test_conda_environment_of_sorting_repeats_the_pins():
    content = yaml.safe_load((ENVIRONMENTS / "sorting.yaml").read_text())
    pip = next(entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict))
    assert pip == read_pins("sorting.txt")


def test_sorting_environment_has_no_torch_and_the_zarr_that_spikeinterface_writes():
    pins = dict(pin.split("==") for pin in read_pins("sorting.txt"))
    assert "torch" not in pins
    assert pins["zarr"].startswith("2.")


def test_every_pin_is_exact():
    for name in ("base.txt", "cpu.txt", "cuda.txt", "dev.txt", "sorting.txt"):
        for pin in read_pins(name):
            requirement = pin.split(";")[0]
            assert re.fullmatch(r"[A-Za-z0-9_.-]+==[^=<>~*]+", requirement), (name, pin)


def test_cpu_environment_cannot_resolve_to_the_cuda_build():
    linux = [pin for pin in read_pins("cpu.txt") if 'sys_platform == "linux"' in pin]
    assert linux == ['torch==2.13.0+cpu; sys_platform == "linux"']


def test_no_environment_asks_for_torchvision_or_cuda_libraries():
    for name in ("base.txt", "dev.txt"):
        named = {re.split(r"==", pin)[0].lower() for pin in read_pins(name)}
        assert not {pin for pin in named if pin.startswith(("nvidia", "torch", "triton", "cuda"))}
