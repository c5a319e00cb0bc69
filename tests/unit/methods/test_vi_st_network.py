"""The network of Vi-ST against golden values of its specification."""

from __future__ import annotations

import math

import pytest
import torch

from brainalign.errors import InputError
from brainalign.methods.vi_st.depthwise import convolve_depthwise
from brainalign.methods.vi_st.network import ViSTNetwork, count_field
from brainalign.methods.vi_st.options import ViSTOptions, compute_paper_learning_rates


def count_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def make_random_network(n_units: int = 4, **options: object) -> ViSTNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ViSTNetwork(6, n_units, ViSTOptions.model_validate({"width": 8, **options}))
        if network.conditioning is not None:
            torch.nn.init.normal_(network.conditioning.modulation.weight)
            torch.nn.init.normal_(network.conditioning.mapping.weight)
    return network.double().eval()


def make_inputs(n_frames: int, n_units: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    token = torch.randn(1, n_frames, 100, 6, generator=generator, dtype=torch.float64)
    return token, torch.rand(1, n_units, 10, 10, generator=generator, dtype=torch.float64)


def find_changed_frames(network: ViSTNetwork, n_frames: int, perturbed: int) -> tuple[int, int]:
    token, rf = make_inputs(n_frames)
    changed = token.clone()
    changed[:, perturbed] += 1
    with torch.inference_mode():
        difference = (network(token, rf) - network(changed, rf)).abs().amax((0, 1))
    frames = torch.nonzero(difference > 1e-13).flatten()
    return int(frames[0]), int(frames[-1])


def test_parameters_of_the_paper_preset_are_the_published_number():
    network = ViSTNetwork(1024, 90, ViSTOptions(preset="paper"))
    assert count_parameters(network) == 1_702_952
    parts = [network.extractor, network.conditioning, *network.blocks, network.head]
    counts = [726_362, 32_760, 109_710, 117_090, 102_510, 96_030, 518_490]
    assert [count_parameters(part) for part in parts] == counts
    assert len(network.state_dict()) == 102
    assert sum(buffer.numel() for buffer in network.buffers()) == 3078


def test_parameters_of_the_small_preset_are_the_specified_number():
    assert count_parameters(ViSTNetwork(32, 8, ViSTOptions())) == 14_448


def test_temporal_field_is_183_frames_in_the_paper_and_71_in_the_small_preset():
    assert count_field(ViSTOptions(preset="paper")) == 183
    assert count_field(ViSTOptions()) == 71


def test_future_frames_do_not_change_past_predictions():
    assert find_changed_frames(make_random_network(), 120, 20) == (20, 90)


def test_the_field_of_six_layers_ends_after_183_frames():
    assert find_changed_frames(make_random_network(video_layers=6), 240, 20) == (20, 202)


def test_a_prediction_that_is_not_causal_sees_both_sides():
    network = make_random_network(video_layers=6, causal=False)
    assert find_changed_frames(network, 240, 120) == (29, 211)


def test_a_crop_with_its_whole_field_predicts_what_the_full_sequence_does():
    network = make_random_network()
    token, rf = make_inputs(120)
    with torch.inference_mode():
        full, crop = network(token, rf), network(token[:, 30:], rf)
    torch.testing.assert_close(crop[:, :, 70:], full[:, :, 100:], rtol=0, atol=1e-12)


def test_receptive_fields_change_nothing_at_initialisation():
    network = ViSTNetwork(6, 4, ViSTOptions(width=8)).double().eval()
    token, rf = make_inputs(8)
    with torch.inference_mode():
        assert torch.equal(network(token, rf), network(token, 2 * rf))


@pytest.mark.parametrize(("rf_mode", "is_equal"), [("sum", True), ("per_cell", False)])
def test_only_fields_per_cell_know_whose_field_is_whose(rf_mode: str, is_equal: bool):
    network = make_random_network(rf_mode=rf_mode)
    token, rf = make_inputs(8)
    with torch.inference_mode():
        first, second = network(token, rf), network(token, rf.flip(1))
    assert torch.allclose(first, second, rtol=0, atol=1e-12) == is_equal


@pytest.mark.parametrize(
    ("causal", "golden"),
    [
        (True, (0.0105187202, 0.0299477072, 0.0248522166, 0.0077936043)),
        (False, (0.0106372451, 0.0304027581, 0.0250753980, 0.0078498927)),
    ],
)
def test_network_has_the_fingerprint_of_the_public_class(causal: bool, golden: tuple):
    options = ViSTOptions(grid=16, width=8, video_layers=2, causal=causal)
    network = ViSTNetwork(16, 5, options).double().eval()
    with torch.inference_mode():
        for parameter in network.parameters():
            wave = 0.05 * torch.sin(0.1 * (torch.arange(parameter.numel()).double() + 1))
            parameter.copy_(wave.view_as(parameter))
        token = torch.sin(0.01 * torch.arange(12 * 256 * 16).double()).view(1, 12, 256, 16)
        rf = torch.cos(0.02 * torch.arange(5 * 256).double()).abs().view(1, 5, 16, 16)
        rate = network(token, rf)
    found = (rate[0, 0, 0], rate[0, 4, 11], rate.mean(), rate.std(unbiased=False))
    assert [float(value) for value in found] == pytest.approx(golden, abs=1e-9)


def test_shared_frames_give_the_rates_of_gathered_clips():
    network = make_random_network()
    token, rf = make_inputs(20)
    position = torch.stack([torch.arange(0, 12), torch.arange(5, 17)])
    with torch.inference_mode():
        shared = network.forward_shared(token[0], position, rf)
        gathered = network(token[0][position], rf)
    torch.testing.assert_close(shared, gathered, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("n_frames", "window"), [(20, 9), (70, 5)])
def test_gradient_of_the_depthwise_convolution_equals_that_of_the_library(
    n_frames: int, window: int
):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    inputs = draw(2, 3, n_frames + window - 1, 6, 5), draw(3, 1, window, 3, 3), draw(3)
    outputs = convolve_depthwise(*inputs), torch.nn.functional.conv3d(*inputs, groups=3)
    torch.testing.assert_close(*outputs)
    weight = torch.randn_like(outputs[0])
    gradients = [torch.autograd.grad(output, inputs, weight) for output in outputs]
    for own, reference in zip(*gradients, strict=True):
        torch.testing.assert_close(own, reference, rtol=1e-10, atol=1e-10)


def test_a_grid_that_the_blocks_use_up_is_refused():
    with pytest.raises(InputError, match=r"grid of patches is too small.*more than 8.*found 8"):
        ViSTNetwork(6, 4, ViSTOptions(grid=8))


def test_learning_rates_of_the_paper_preset_follow_the_published_schedule():
    rates = compute_paper_learning_rates()
    assert len(rates) == 30
    assert rates[:6] == pytest.approx([5e-5, 2e-4, 3.5e-4, 5e-4, 6.5e-4, 8e-4], abs=1e-12)
    cosine = 1e-4 + 7e-4 * (1 + math.cos(math.pi * 14 / 25)) / 2
    assert rates[19] == pytest.approx(cosine, abs=1e-9)
    averaging = [3.572e-4, 2.862e-4, 1.983e-4, 1.272e-4, 1e-4]
    assert rates[20:25] == pytest.approx(averaging, abs=1e-7)
    assert rates[25:] == pytest.approx([1e-4] * 5, abs=1e-12)
