"""Planted factors control the pictures."""

import numpy as np
import pytest

from brainalign.raw.simulate.categories import CATEGORIES, build_object, draw_objects
from brainalign.raw.simulate.mesh import join
from brainalign.raw.simulate.palette import get_colour
from brainalign.raw.simulate.render import Lighting, View, render_layer, to_linear, to_uint8
from brainalign.raw.simulate.solids import make_box, make_ellipsoid

FRONT = Lighting(azimuth=0.0, elevation=30.0)
OBJECTS = {item.category: build_object(item) for item in draw_objects(0, 1)}


def view(**changes: float) -> View:
    return View(**({"yaw": 0, "pitch": 0, "roll": 0, "x": 0, "y": 0, "size": 0.6} | changes))


def find_centroid(coverage: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(coverage.shape)
    total = coverage.sum()
    return float((columns * coverage).sum() / total), float((rows * coverage).sum() / total)


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_centroid_follows_the_planted_place(category):
    _, middle = render_layer(64, OBJECTS[category], view(), FRONT)
    _, moved = render_layer(64, OBJECTS[category], view(x=0.1, y=0.15), FRONT)
    column, row = find_centroid(middle)
    assert find_centroid(moved) == pytest.approx((column + 6.4, row - 9.6), abs=0.15)


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_area_grows_with_the_square_of_the_size(category):
    small = render_layer(96, OBJECTS[category], view(size=0.45), FRONT)[1].sum()
    large = render_layer(96, OBJECTS[category], view(size=0.9), FRONT)[1].sum()
    assert large / small == pytest.approx(4.0, rel=0.04)


def test_the_area_of_a_sphere_is_that_of_its_outline():
    sphere = make_ellipsoid((0, 0, 0), (1, 1, 1), get_colour("white"), detail=24)
    coverage = render_layer(96, sphere, view(size=0.5), FRONT)[1]
    # Perspective from 4.5 radii: the outline's radius is 4.5 / sqrt(4.5^2 - 1).
    radius = 24 * 4.5 / np.sqrt(4.5**2 - 1)
    assert coverage.sum() == pytest.approx(np.pi * radius**2, rel=0.01)


def test_positive_roll_turns_counter_clockwise():
    upright = render_layer(64, OBJECTS["car"], view(), FRONT)[1]
    turned = render_layer(64, OBJECTS["car"], view(roll=90.0), FRONT)[1]
    assert np.abs(turned - np.rot90(upright)).mean() < 0.002


def test_positive_yaw_turns_the_front_to_the_viewers_right():
    nose = make_box((0, 0, 0.7), (0.2, 0.2, 0.6), get_colour("red"))
    right, _ = find_centroid(render_layer(64, nose, view(yaw=40.0), FRONT)[1])
    left, _ = find_centroid(render_layer(64, nose, view(yaw=-40.0), FRONT)[1])
    assert right > 36 > 28 > left


def test_positive_pitch_looks_from_above():
    # What faces the viewer sinks when one looks from above, and what lies behind rises.
    front = make_ellipsoid((0, 0, 0.6), (0.2, 0.2, 0.2), get_colour("red"))
    back = make_ellipsoid((0, 0, -0.6), (0.2, 0.2, 0.2), get_colour("red"))
    assert find_centroid(render_layer(64, front, view(pitch=30.0), FRONT)[1])[1] > 35
    assert find_centroid(render_layer(64, back, view(pitch=30.0), FRONT)[1])[1] < 29


def test_shading_at_the_middle_of_a_sphere_obeys_lambert():
    albedo = get_colour("grey")
    sphere = make_ellipsoid((0, 0, 0), (1, 1, 1), albedo, gloss=0.0, detail=24)
    lamp = Lighting(azimuth=40.0, elevation=25.0, ambient=0.3)
    layer, _ = render_layer(64, sphere, view(size=0.8), lamp)
    cosine = np.cos(np.deg2rad(40.0)) * np.cos(np.deg2rad(25.0))
    expected = albedo * (0.3 * 0.75 + (1.05 - 0.3) * cosine)
    assert layer[31:33, 31:33].mean(axis=(0, 1)) == pytest.approx(expected, rel=0.02)


def test_a_lamp_from_the_left_lights_the_left_side():
    sphere = make_ellipsoid((0, 0, 0), (1, 1, 1), get_colour("grey"), gloss=0.0)
    layer, _ = render_layer(64, sphere, view(), Lighting(azimuth=-60.0, elevation=0.0))
    assert layer[32, 20].mean() > 1.5 * layer[32, 44].mean()


def test_a_part_in_front_shadows_the_part_behind():
    wall = make_box((0, 0, -0.5), (1.4, 1.4, 0.1), get_colour("white"), gloss=0.0)
    bar = make_box((0, 0, 0.2), (0.3, 0.3, 0.1), get_colour("white"), gloss=0.0)
    lamp = Lighting(azimuth=35.0, elevation=0.0)
    alone = render_layer(64, wall, view(size=0.9), lamp)[0]
    together = render_layer(64, join([wall, bar]), view(size=0.9), lamp)[0]
    left_of_bar = (slice(29, 35), slice(16, 22))
    assert together[left_of_bar].min() < 0.6 * alone[left_of_bar].min()


def test_nearer_parts_hide_farther_ones():
    near = make_box((0, 0, 0.5), (0.6, 0.6, 0.2), get_colour("red"), gloss=0.0)
    far = make_box((0, 0, -0.5), (1.2, 1.2, 0.2), get_colour("blue"), gloss=0.0)
    for parts in ([near, far], [far, near]):
        red, _, blue = render_layer(64, join(parts), view(), FRONT)[0][32, 32]
        assert red > blue


def test_an_object_outside_the_picture_leaves_it_alone():
    assert render_layer(32, OBJECTS["mug"], view(x=3.0), FRONT)[1].max() == 0


@pytest.mark.parametrize("category", CATEGORIES)
def test_normals_point_outwards(category):
    mesh = OBJECTS[category]
    face = np.cross(mesh.corner[:, 1] - mesh.corner[:, 0], mesh.corner[:, 2] - mesh.corner[:, 0])
    assert (np.einsum("ti,tci->tc", face, mesh.normal) > 0).mean() > 0.99


def test_displayed_values_survive_the_way_through_linear_light():
    shown = np.arange(256)
    assert np.array_equal(to_uint8(to_linear(shown / 255)), shown)
