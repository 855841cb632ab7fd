import numpy as np
import pytest

from backend_container.models.sampling import LIMIT, Growth, Page, ball, interpolate, neighbours, normal, page_radius

DIMENSION = 12
LATENT = 20


class CroppedSpace:
    """The first 12 of 20 numbers, in units of 2."""

    dimension = DIMENSION

    def project(self, latents):
        return latents[:, :DIMENSION] / np.float32(2)

    def lift(self, coordinates):
        return np.pad(coordinates * np.float32(2), ((0, 0), (0, LATENT - DIMENSION)))


def face(seed=0):
    return normal(seed, 7, count=1, dimension=LATENT)[0] * np.float32(2)


def distances(points, centre):
    return np.linalg.norm(points - centre, axis=-1)


@pytest.mark.parametrize("dimension", [1, 3, 8])
def test_ball_gives_equal_volumes_equal_chances(dimension):
    count = 4000
    centre = np.full(dimension, 5, np.float32)
    points = ball(1, centre=centre, radius=2.5, count=count)
    volumes = np.sort((distances(points, centre) / 2.5) ** dimension)
    assert volumes[-1] <= 1 + 1e-5
    # Kolmogorov-Smirnov: with uniform shares of the volume the gap exceeds 1.95 / sqrt(n) once in 1000.
    assert np.abs(volumes - (np.arange(count) + 0.5) / count).max() < 1.95 / np.sqrt(count)


def test_ball_prefers_no_direction():
    count, dimension = 4000, 6
    points = ball(2, centre=np.zeros(dimension, np.float32), radius=1, count=count)
    # Second moment of the uniform d-ball along each axis: 1 / (d + 2).
    np.testing.assert_allclose(points.T @ points / count * (dimension + 2), np.eye(dimension), atol=0.09)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=0.03)


def test_the_nth_point_does_not_depend_on_the_count():
    centre = np.zeros(5, np.float32)
    assert np.array_equal(
        ball(3, 1, centre=centre, radius=1, count=9)[:4], ball(3, 1, centre=centre, radius=1, count=4)
    )
    assert np.array_equal(normal(3, count=9, dimension=5)[:4], normal(3, count=4, dimension=5))


def test_streams_of_different_keys_differ():
    keys = [(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 0, 0)]
    points = np.concatenate([normal(*key, count=3, dimension=4) for key in keys])
    assert len(np.unique(points, axis=0)) == 3 * len(keys)


def test_normal_is_standard_normal():
    points = normal(4, count=2000, dimension=10)
    assert points.dtype == np.float32
    np.testing.assert_allclose([points.mean(), points.std()], [0, 1], atol=0.02)


def test_radius_grows_by_page_up_to_the_last():
    radii = [page_radius(page, 50) for page in range(1, 40)]
    assert all(np.diff(radii) >= 0)
    assert len(set(radii[:8])) == 8
    assert radii[-1] == radii[-2] == Growth().last * 10
    assert page_radius(3, 2, Growth(first=1, step=0.5, last=9)) == 4


def test_the_first_page_is_much_nearer_than_strangers_and_the_eighth_as_far():
    dimension = 145
    strangers = normal(5, count=200, dimension=dimension)
    typical = np.median(distances(strangers[:100], strangers[100:]))
    assert 0.2 * typical < page_radius(1, dimension) < 0.5 * typical
    np.testing.assert_allclose(page_radius(8, dimension), typical, rtol=0.05)


def test_neighbours_lie_in_the_subspace_within_the_page_radius():
    space, latent = CroppedSpace(), np.clip(face(), -2 * LIMIT, 2 * LIMIT)
    centre = space.project(latent[None])[0]
    for page in (1, 4, 12):
        found = neighbours(space, latent, Page(page, 30, 6))
        assert found.dtype == np.float32
        assert found.shape == (30, LATENT)
        assert not found[:, DIMENSION:].any()
        assert distances(space.project(found), centre).max() <= page_radius(page, DIMENSION) * (1 + 1e-5)


def test_neighbours_are_less_alike_with_each_page():
    space, latent = CroppedSpace(), face()
    centre = space.project(latent[None])[0]
    means = [
        distances(space.project(neighbours(space, latent, Page(page, 200, 6))), centre).mean() for page in range(1, 9)
    ]
    assert all(np.diff(means) > 0)


@pytest.mark.parametrize("share", [0.1, 1, 10])
def test_no_neighbour_is_more_extreme_than_people_are(share):
    page = neighbours(CroppedSpace(), face() * np.float32(share), Page(10, 50, 0))
    assert np.abs(CroppedSpace().project(page)).max() == LIMIT


def test_a_face_beyond_all_people_is_not_doubled_but_held_to_what_people_have():
    space, far = CroppedSpace(), face() * np.float32(50)
    held = space.lift(np.clip(space.project(far[None]), -LIMIT, LIMIT))[0]
    page = neighbours(space, far, Page(4, 50, 0))
    assert np.array_equal(page, neighbours(space, held, Page(4, 50, 0)))
    assert (page.std(axis=0)[:DIMENSION] > 0.1).all()


def test_the_average_face_has_neighbours():
    found = neighbours(CroppedSpace(), np.zeros(LATENT, np.float32), Page(1, 20, 0))
    assert len(np.unique(found, axis=0)) == 20
    assert np.isfinite(found).all()


def test_the_nth_neighbour_depends_on_seed_page_and_n_alone():
    space, latent = CroppedSpace(), face()
    whole = neighbours(space, latent, Page(2, 16, 9))
    assert np.array_equal(whole[:5], neighbours(space, latent, Page(2, 5, 9)))
    assert not np.isclose(whole, neighbours(space, latent, Page(2, 16, 10))).all(axis=1).any()


def test_pages_do_not_repeat_each_others_directions():
    space, latent = CroppedSpace(), face()
    flat = Growth(first=0.1, step=0, last=0.1)
    pages = np.concatenate([neighbours(space, latent, Page(page, 16, 9, flat)) for page in (1, 2, 3)])
    assert len(np.unique(pages.round(4), axis=0)) == 48


def test_interpolation_includes_both_ends_to_the_byte():
    start, end = face(1).reshape(4, 5), face(2).reshape(4, 5)
    line = interpolate(start, end, 10)
    assert line.dtype == np.float32
    assert line.shape == (10, 4, 5)
    assert np.array_equal(line[0], start)
    assert np.array_equal(line[-1], end)
    np.testing.assert_allclose(np.diff(line, axis=0), np.broadcast_to((end - start) / 9, (9, 4, 5)), atol=1e-5)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: page_radius(0, 5), "page must be 1 or more, not 0"),
        (lambda: normal(-1, count=1, dimension=1), "seed must be 0 or more, not -1"),
        (lambda: normal(0, count=-1, dimension=1), "count must be 0 or more"),
        (lambda: ball(0, centre=face(), radius=1, count=0), "count must be 1 or more"),
        (lambda: ball(0, -2, centre=face(), radius=1, count=1), "key 0 must be 0 or more"),
        (lambda: ball(0, centre=face(), radius=-1, count=1), "radius is a finite number"),
        (lambda: ball(0, centre=face(), radius=float("nan"), count=1), "radius is a finite number"),
        (lambda: interpolate(face(), face(), 1), "count must be 2 or more"),
        (lambda: interpolate(face(), face()[:3], 3), "two latents of one engine"),
    ],
)
def test_bad_input_is_named(call, reason):
    with pytest.raises(ValueError, match=reason):
        call()


def test_measured_pages_come_first_and_the_others_go_on_from_the_last():
    growth = Growth(step=0.1, last=1.0, measured=(0.2, 0.25, 0.9))
    radii = [page_radius(page, 50, growth) / 10 for page in range(1, 7)]
    assert radii == pytest.approx([0.2, 0.25, 0.9, 1.0, 1.0, 1.0])
    beyond = Growth(last=1.0, measured=(1.5,))
    assert [page_radius(page, 50, beyond) / 10 for page in (1, 2)] == pytest.approx([1.5, 1.5])


@pytest.mark.parametrize("measured", [(0.3, 0.2), (-0.1, 0.2), (0.1, float("inf"))])
def test_measured_pages_never_shrink(measured):
    with pytest.raises(ValueError, match="never shrink"):
        Growth(measured=measured)
