"""Movies: natural statistics, constant drift, cuts where the table says."""

import numpy as np
import pytest
from PIL import Image

from brainalign.raw.simulate.movies import Movie, TextureShot, render_movie
from brainalign.raw.simulate.streams import derive_generator
from brainalign.raw.simulate.textures import (
    DriftingTexture,
    make_natural_texture,
    measure_spectral_slope,
)
from brainalign.raw.simulate.world_tables import read_table


def read_movie(folder, movie):
    frames = read_table(folder, "movie_frames")
    files = frames.loc[frames["movie"] == movie, "file"]
    return np.stack([np.asarray(Image.open(folder / file), dtype=float) for file in files])


@pytest.mark.parametrize("slope", [1.0, 2.0])
def test_textures_have_the_planted_spectral_slope(slope):
    generator = derive_generator(3, "texture")
    texture = make_natural_texture(generator, 128, 128, slope)
    assert measure_spectral_slope(texture) == pytest.approx(slope, abs=0.15)


def test_the_slope_of_white_noise_is_zero():
    noise = derive_generator(1, "noise").standard_normal((128, 128))
    assert measure_spectral_slope(noise) == pytest.approx(0.0, abs=0.15)


def test_textures_are_standardised():
    texture = make_natural_texture(derive_generator(0, "t"), 32, 48)
    assert (texture.mean(), texture.std()) == pytest.approx((0.0, 1.0), abs=1e-12)


def test_drift_by_whole_pixels_is_a_roll():
    texture = make_natural_texture(derive_generator(0, "t"), 32, 32)
    moved = DriftingTexture(texture).shift(right=3.0, down=-2.0)
    assert np.allclose(moved, np.roll(texture, (-2, 3), axis=(0, 1)))


def test_two_half_pixels_of_drift_make_one_pixel():
    # Odd sizes: at even ones a half pixel cannot keep the highest frequency.
    texture = make_natural_texture(derive_generator(0, "t"), 31, 31)
    half = DriftingTexture(texture).shift(0.5, 0.0)
    assert np.allclose(DriftingTexture(half).shift(0.5, 0.0), np.roll(texture, 1, axis=1))


@pytest.mark.parametrize("movie", ["object-movie-01", "texture-movie-01"])
def test_the_picture_jumps_at_cuts_and_nowhere_else(world_folder, movie):
    frames = read_movie(world_folder, movie)
    shots = read_table(world_folder, "movie_shots")
    cuts = shots.loc[shots["movie"] == movie, "first_frame"].to_numpy()[1:]
    change = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    at_cut = np.isin(np.arange(1, len(frames)), cuts)
    assert at_cut.sum() >= 2
    assert change[at_cut].min() > 1.5 * change[~at_cut].max()


def test_shots_fill_the_movie_without_gaps(world_folder):
    movies = read_table(world_folder, "movies").set_index("movie")
    for movie, shots in read_table(world_folder, "movie_shots").groupby("movie"):
        ends = (shots["first_frame"] + shots["n_frames"]).to_numpy()
        assert list(shots["first_frame"]) == [0, *ends[:-1]]
        assert ends[-1] == movies.at[movie, "n_frames"] == len(read_movie(world_folder, movie))


def test_splits_of_a_movie_are_blocks_in_the_order_of_time(world_folder):
    for _, frames in read_table(world_folder, "movie_frames").groupby("movie"):
        order = frames["split"].map({"train": 0, "validation": 1, "test": 2})
        assert order.is_monotonic_increasing
        assert set(order) == {0, 1, 2}


def test_a_texture_shot_drifts_at_its_stated_velocity(world_options):
    shot = TextureShot(0, 5, "train", 0, 20.0, -10.0, (0.0, 0.0, 0.0))  # at 10 frames per second
    movie = Movie("texture-movie-01", "texture", 5, [shot])
    frames = np.stack(list(render_movie(world_options, movie, {}))).astype(int)
    for index in range(1, 5):
        moved = np.roll(frames[0], (-index, 2 * index), axis=(0, 1))
        assert np.abs(moved - frames[index])[8:-8, 8:-8].max() <= 1


def test_an_object_moves_and_turns_evenly_within_a_shot(world_folder):
    frames = read_table(world_folder, "movie_frames")
    shot = frames[(frames["movie"] == "object-movie-01") & (frames["shot"] == 0)]
    for column in ("yaw_deg", "x", "size"):
        steps = np.diff(shot[column].to_numpy())
        assert np.ptp(steps) < 4e-4  # rounding of the table
