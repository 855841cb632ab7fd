"""Images moved by the triangles of a mesh."""

import numpy as np
import pytest

from backend_container.models.appearance import mesh
from backend_container.models.appearance.align import SIZE
from backend_container.models.appearance.warp import source_pixels, warp

SQUARE = np.float32([[0, 0], [128, 0], [128, 128], [0, 128], [64, 64]])
FAN = np.int32([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])


def test_a_mesh_that_does_not_move_leaves_the_image(gradient):
    np.testing.assert_allclose(warp(gradient, SQUARE, SQUARE, FAN), gradient, atol=1e-3)


def test_each_triangle_is_mapped_by_its_corners():
    target = SQUARE.copy()
    target[4] = (64, 96)
    pixels = source_pixels(SQUARE, target, FAN, SIZE, SIZE)
    np.testing.assert_allclose(pixels[96, 64], [64, 64], atol=1e-3)  # the vertex that moved
    np.testing.assert_allclose(pixels[48, 64], [64, 32], atol=1e-3)  # half way from the upper border to it
    np.testing.assert_allclose(pixels[0, 10], [10, 0], atol=1e-3)


def test_warping_there_and_back_gives_the_image_again(shipped, gradient):
    model = shipped.model
    moved = model.mean_shape + np.random.default_rng(0).normal(0, 0.3, model.mean_shape.shape).astype(np.float32)
    moved[-len(mesh.border()) :] = mesh.border()
    there = warp(gradient, model.mean_shape, moved, model.triangles)
    back = warp(there, moved, model.mean_shape, model.triangles)
    assert np.abs(there - gradient).max() > 0.003
    assert np.abs(back - gradient).mean() < 0.002


def test_folded_and_flat_triangles_give_finite_places():
    target = SQUARE.copy()
    target[4] = (64, -20)
    flat = SQUARE.copy()
    flat[4] = (64, 0)
    for vertices in (target, flat):
        assert np.isfinite(source_pixels(SQUARE, vertices, FAN, SIZE, SIZE)).all()


def test_the_mesh_covers_the_frame_once(shipped):
    model = shipped.model
    corners = model.mean_shape[model.triangles].astype(float)
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2
    assert areas.min() > 0
    assert areas.sum() == pytest.approx(SIZE**2, rel=1e-4)


def test_each_landmark_is_one_vertex():
    assert len(set(mesh.LANDMARKS)) == len(mesh.LANDMARKS) == 152
    assert len(np.unique(mesh.border(), axis=0)) == 16
    assert {0, SIZE} == {float(v) for point in mesh.border() for v in point if v in (0, SIZE)}


def test_lips_that_crossed_meet_and_others_stay(shipped):
    vertices = shipped.model.mean_shape.copy()
    assert np.array_equal(mesh.close_lips(vertices), vertices)
    vertices[mesh.UPPER_LIP[4], 1] += 10
    closed = mesh.close_lips(vertices)
    assert np.array_equal(closed[mesh.UPPER_LIP[4]], closed[mesh.LOWER_LIP[4]])
    assert np.array_equal(closed[mesh.UPPER_LIP[0]], vertices[mesh.UPPER_LIP[0]])
