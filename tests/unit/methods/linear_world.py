"""The synthetic world W(corr, nz, N) in which the truth about each method is known.

Features carry a latent and, with `image_noise`, variance that no unit sees; units carry the latent
and, with `shared_noise`, variance that no image explains. Names of matrices as in the recipe:
x = tanh(s A) + nz u Q + 0.3 eps, r = softplus(1.5 s W) + corr h H + xi.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainalign.methods.arrays import PairedEmbedding, PairedResponses, SubjectResponses

N_LATENTS, N_FEATURES, N_UNITS, N_SHARED, N_NUISANCE = 24, 256, 150, 6, 32


@dataclass(frozen=True)
class LinearWorld:
    training: PairedResponses
    validation: PairedResponses
    test: PairedResponses
    mean_test_response: np.ndarray

    def test_response(self) -> np.ndarray:
        return self.test.subjects[0].response


def simulate_linear_world(
    shared_noise: float,
    image_noise: float,
    n_training: int,
    *,
    seed: int,
    n_test: int = 200,
    n_validation: int = 200,
    n_test_repeats: int = 1,
) -> LinearWorld:
    rng = np.random.default_rng(seed)
    A = rng.normal(0, N_LATENTS**-0.5, (N_LATENTS, N_FEATURES))
    W = rng.normal(0, N_LATENTS**-0.5, (N_LATENTS, N_UNITS))
    H = rng.normal(0, N_SHARED**-0.5, (N_SHARED, N_UNITS))
    Q = rng.normal(0, N_NUISANCE**-0.5, (N_NUISANCE, N_FEATURES))

    def respond(latent: np.ndarray) -> np.ndarray:
        drive = np.logaddexp(0, 1.5 * latent @ W)
        shared = shared_noise * rng.normal(size=(len(latent), N_SHARED)) @ H
        return drive + shared + rng.normal(size=drive.shape)

    def simulate_split(name: str, n_stimuli: int) -> tuple[PairedResponses, np.ndarray]:
        latent = rng.normal(size=(n_stimuli, N_LATENTS))
        nuisance = rng.normal(size=(n_stimuli, N_NUISANCE))
        feature = np.tanh(latent @ A) + image_noise * nuisance @ Q
        feature = feature + 0.3 * rng.normal(size=feature.shape)
        stimulus = np.array([f"{name}_{row:04d}" for row in range(n_stimuli)])
        response = respond(latent)
        return pair(stimulus, feature, response), latent

    training, _ = simulate_split("training", n_training)
    validation, _ = simulate_split("validation", n_validation)
    test, latent = simulate_split("test", n_test)
    repeats = [respond(latent) for _ in range(n_test_repeats - 1)]
    mean = np.mean([test.subjects[0].response, *repeats], axis=0)
    return LinearWorld(training, validation, test, mean.astype(np.float32))


def pair(stimulus: np.ndarray, feature: np.ndarray, response: np.ndarray) -> PairedResponses:
    subject = SubjectResponses("monkey", response.astype(np.float32), stimulus)
    return PairedResponses(stimulus, feature.astype(np.float32), (subject,))


def score_matrix(embedding: PairedEmbedding) -> np.ndarray:
    u = embedding.stimulus_embedding.astype(np.float64)
    v = embedding.response_embedding.astype(np.float64)
    if embedding.similarity == "pearson":
        u, v = u - u.mean(1, keepdims=True), v - v.mean(1, keepdims=True)
    if embedding.similarity == "negative_half_squared_distance":
        S = u @ v.T - 0.5 * (u**2).sum(1)[:, None] - 0.5 * (v**2).sum(1)[None, :]
    else:
        S = (u / np.linalg.norm(u, axis=1)[:, None]) @ (v / np.linalg.norm(v, axis=1)[:, None]).T
    if embedding.stimulus_bias is not None:
        S = S + embedding.stimulus_bias[:, None]
    if embedding.response_bias is not None:
        S = S + embedding.response_bias[None, :]
    return S


def top1(S: np.ndarray) -> tuple[float, float]:
    """Encoding (which response belongs to a stimulus) and decoding, of a matched square matrix."""
    truth = np.arange(len(S))
    encoding = float(np.mean(S.argmax(axis=1) == truth))
    decoding = float(np.mean(S.argmax(axis=0) == truth))
    return encoding, decoding


def two_way(S: np.ndarray) -> float:
    """Share of single distractors that score below the partner, over both directions."""
    own = np.diag(S)
    n_beaten = (own[:, None] > S).sum() + (own[None, :] > S).sum()
    return n_beaten / (2 * len(S) * (len(S) - 1))
