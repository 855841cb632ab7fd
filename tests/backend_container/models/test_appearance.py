"""The `appearance` engine and its parts; with the weights that belong to the package."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as format_tensors

from backend_container.models.appearance import mesh
from backend_container.models.appearance import weights as files
from backend_container.models.appearance.align import SIZE, WHITE, align, alignment, whiten
from backend_container.models.appearance.detail import Detail, all_frequencies
from backend_container.models.appearance.engine import AppearanceEngine, _within_reach
from backend_container.models.appearance.finisher import Finisher, fixed_noise
from backend_container.models.appearance.planes import COUNT, LUMA, mirrored, to_image, to_planes
from backend_container.models.appearance.population import Population
from backend_container.models.appearance.warp import source_pixels, warp
from backend_container.models.detector import FaceDetector
from backend_container.models.engine import ModelError
from backend_container.models.landmarks import LEFT_EYE, MOUTH_CORNERS, RIGHT_EYE, FaceMesh
from backend_container.models.loader import WEIGHTS

PHOTOS = Path(__file__).resolve().parents[4] / "shared/data/photos"
SQUARE = np.float32([[0, 0], [128, 0], [128, 128], [0, 128], [64, 64]])
FAN = np.int32([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])


@pytest.fixture(scope="module")
def shipped():
    return files.load(WEIGHTS / "appearance")


@pytest.fixture(scope="module")
def engine(shipped):
    return AppearanceEngine(shipped)


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


@pytest.fixture(scope="module")
def tiny(shipped):
    """The real mesh with two shape and three texture components, two details and four people, and a small finisher
    that does something.
    """
    model = shipped.model
    few = replace(
        model,
        shape_basis=model.shape_basis[:2],
        texture_basis=model.texture_basis[:3],
        loadings=np.diag(np.float32([3, 2, 9, 7, 5])),
        detail=Detail(model.mean_shape, np.int32([[0, 1], [2, 3]]), np.float32([0.02, 0.01])),
    )
    faces, hair = np.random.default_rng(0).standard_normal((2, 4, 5)).astype(np.float32)
    people = Population(faces, hair, np.int32([0, 0, 1, 1]))
    torch.manual_seed(0)
    finisher = Finisher((4, 6))
    torch.nn.init.normal_(finisher.leave.weight)
    return files.Weights(few, people, finisher.eval(), (4, 6))


@pytest.fixture
def saved(tiny, tmp_path):
    files.save(tmp_path, tiny)
    return tmp_path


def gradient():
    rows, columns = np.mgrid[:SIZE, :SIZE] / SIZE
    return np.stack([rows, columns, (rows + columns) / 2], axis=-1).astype(np.float32)


# align


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1.0), (30, 1.0), (-90, 0.4), (5, 3.0)])
def test_eyes_and_mouth_come_to_the_same_places_however_the_photo_is_turned(degrees, scale):
    points = FaceMesh().points(skimage.data.astronaut(), FaceDetector().find(skimage.data.astronaut())[0])
    turn = cv2.getRotationMatrix2D((200, 100), degrees, scale)
    moved = (points @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    expected, found = ((p @ m[:, :2].T + m[:, 2]) for p, m in ((points, alignment(points)), (moved, alignment(moved))))
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_the_frame_is_the_one_of_the_paper():
    photo = skimage.data.astronaut()
    _, points = align(photo, FaceMesh().points(photo, FaceDetector().find(photo)[0]))
    left, right, mouth = (points[list(numbers)].mean(0) for numbers in (LEFT_EYE, RIGHT_EYE, MOUTH_CORNERS))
    eyes = (left + right) / 2
    half = max(2.0 * np.linalg.norm(right - left), 1.8 * np.linalg.norm(mouth - eyes))
    np.testing.assert_allclose(eyes + 0.1 * (mouth - eyes), [SIZE / 2, SIZE / 2], atol=0.01)
    assert half == pytest.approx(SIZE / 2, abs=0.01)
    assert left[0] < right[0]
    assert eyes[1] < mouth[1]


def test_a_tinted_background_becomes_neutral_and_the_face_keeps_its_contrast_to_it():
    frame = np.full((SIZE, SIZE, 3), (200, 170, 190), np.uint8)
    frame[40:, 40:88] = (120, 70, 60)
    white = whiten(frame)
    np.testing.assert_allclose(white[5, 5], WHITE, atol=1)
    np.testing.assert_allclose(white[80, 64], np.array([120, 70, 60]) * WHITE / [200, 170, 190], atol=1)


@pytest.mark.parametrize("kind", ["dark", "busy"])
def test_a_background_that_is_not_a_plain_bright_one_changes_nothing(kind):
    busy = np.random.default_rng(0).integers(100, 256, (SIZE, SIZE, 3)).astype(np.uint8)
    frame = busy if kind == "busy" else np.full((SIZE, SIZE, 3), 60, np.uint8)
    assert np.array_equal(whiten(frame), frame)


# warp


def test_a_mesh_that_does_not_move_leaves_the_image():
    np.testing.assert_allclose(warp(gradient(), SQUARE, SQUARE, FAN), gradient(), atol=1e-3)


def test_each_triangle_is_mapped_by_its_corners():
    target = SQUARE.copy()
    target[4] = (64, 96)
    pixels = source_pixels(SQUARE, target, FAN, SIZE, SIZE)
    np.testing.assert_allclose(pixels[96, 64], [64, 64], atol=1e-3)  # the vertex that moved
    np.testing.assert_allclose(pixels[48, 64], [64, 32], atol=1e-3)  # half way from the upper border to it
    np.testing.assert_allclose(pixels[0, 10], [10, 0], atol=1e-3)


def test_warping_there_and_back_gives_the_image_again(shipped):
    model = shipped.model
    moved = model.mean_shape + np.random.default_rng(0).normal(0, 0.3, model.mean_shape.shape).astype(np.float32)
    moved[-len(mesh.border()) :] = mesh.border()
    there = warp(gradient(), model.mean_shape, moved, model.triangles)
    back = warp(there, moved, model.mean_shape, model.triangles)
    assert np.abs(there - gradient()).max() > 0.003
    assert np.abs(back - gradient()).mean() < 0.002


def test_folded_and_flat_triangles_give_finite_places():
    target = SQUARE.copy()
    target[4] = (64, -20)
    flat = SQUARE.copy()
    flat[4] = (64, 0)
    for vertices in (target, flat):
        assert np.isfinite(source_pixels(SQUARE, vertices, FAN, SIZE, SIZE)).all()


# mesh


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


# model


def test_the_latent_of_a_render_is_the_latent(shipped):
    """The prior of the fit draws it to the mean a little, and the warp blurs."""
    model = shipped.model
    latent = 0.7 * np.random.default_rng(3).standard_normal(model.components).astype(np.float32)
    shape = latent @ model.loadings[:, : len(model.shape_basis)] @ model.shape_basis
    render = model.render(np.pad(latent, (0, model.dimension - model.components)))
    found = model.encode(render, model.mean_shape + shape.reshape(-1, 2))
    leading = slice(0, 40)
    assert np.corrcoef(found[leading], latent[leading])[0, 1] > 0.95


def test_the_mean_face_is_the_mean_texture_in_the_mean_shape(shipped):
    model = shipped.model
    render = model.render(np.zeros(model.dimension, np.float32))
    np.testing.assert_allclose(render, to_image(model.mean_texture), atol=0.01)


def test_what_is_the_persons_own_is_rendered_and_read_again(shipped):
    model = shipped.model
    latent = np.zeros(model.dimension, np.float32)
    latent[model.components + 10 :: 40] = 2
    render = model.render(latent)
    face = model.encode(render, model.mean_shape)
    without = face.copy()
    without[model.components :] = 0
    errors = [np.abs(model.render(z) - render).mean() for z in (face, without)]
    assert errors[0] < 0.5 * errors[1]


# planes


def test_planes_give_the_image_again_but_for_fine_colour():
    image = gradient()
    np.testing.assert_allclose(to_image(to_planes(image)), image, atol=0.01)
    assert to_planes(image).shape == (COUNT,)


def test_a_grey_image_has_no_colour_and_loses_nothing():
    grey = np.repeat(np.random.default_rng(0).random((SIZE, SIZE, 1), np.float32), 3, axis=2)
    planes = to_planes(grey)
    assert np.abs(planes[LUMA:]).max() < 1e-6
    np.testing.assert_allclose(to_image(planes), grey, atol=1e-6)


def test_mirrored_planes_are_those_of_the_mirrored_image():
    image = np.random.default_rng(0).random((SIZE, SIZE, 3), np.float32)
    np.testing.assert_allclose(mirrored(to_planes(image)[None])[0], to_planes(image[:, ::-1]), atol=1e-6)


# detail


def test_details_add_up_to_their_basis(shipped):
    numbers = np.random.default_rng(0).standard_normal(len(shipped.model.detail.deviations)).astype(np.float32)
    added = (numbers @ shipped.model.detail.basis).reshape(SIZE, SIZE)
    np.testing.assert_allclose(shipped.model.detail.add(numbers), added, atol=1e-4)


def test_details_stay_inside_of_the_face(shipped):
    detail = shipped.model.detail
    added = detail.add(np.ones(len(detail.deviations), np.float32))
    assert np.abs(added[:, [0, -1]]).max() == 0
    assert np.abs(added[[0, -1]]).max() == 0
    assert np.abs(added).max() > 0.05


def test_no_detail_is_finer_than_asked(shipped):
    mean = shipped.model.mean_shape
    coarse, fine = (all_frequencies(mean, finest) for finest in (20.0, 5.0))
    assert len(coarse) < len(fine)
    assert {tuple(f) for f in coarse.tolist()} < {tuple(f) for f in fine.tolist()}


# population


def test_random_faces_of_nobody_are_standard_normal():
    drawn = Population(*np.empty((2, 0, 3), np.float32), np.empty(0, np.int32)).draw(0, 2000)
    np.testing.assert_allclose(drawn.mean(0), 0, atol=0.1)
    np.testing.assert_allclose(drawn.std(0), 1, atol=0.1)


def test_groups_are_drawn_equally_often_and_nobody_of_them_is_drawn():
    latents = np.random.default_rng(0).normal(0, 0.1, (40, 3)).astype(np.float32)
    latents[:5, 0] += 10  # a group of five, and one of thirty-five
    hair = np.arange(40, dtype=np.float32)[:, None] * np.float32([0, 0, 1])
    drawn = Population(latents, hair, np.int32([0] * 5 + [1] * 35)).draw(1, 400)
    assert 0.4 < (drawn[:, 0] > 5).mean() < 0.6
    assert np.abs(drawn[:, None] - (latents + hair)[None]).max(2).min() > 1e-3
    whose = np.rint(drawn[:, 2])  # hair is of one person, a member of the face's group
    assert np.abs(drawn[:, 2] - whose).max() < 0.5
    assert ((whose < 5) == (drawn[:, 0] > 5)).all()


def test_the_shipped_groups_are_large_enough_to_draw_different_people(shipped):
    sizes = np.bincount(shipped.population.groups)
    assert len(sizes) == 8
    assert sizes.min() > 50


def test_hair_is_what_lies_outside_of_the_face(shipped):
    """A shipped person's face with average hair is the person inside of the oval, and the average outside."""
    model, people = shipped.model, shipped.population
    for faces, hair in zip(people.faces[::100], people.hair[::100], strict=True):
        person, bald, average = (texture_of(model, latent) for latent in (faces + hair, faces, 0 * faces))
        shown = [np.abs(bald - other).mean(2) for other in (person, average)]
        assert shown[0][60:84, 50:78].mean() < shown[1][60:84, 50:78].mean()
        assert shown[1][:16, 32:96].mean() < shown[0][:16, 32:96].mean()


def texture_of(model, latent):
    return to_image(model.mean_texture + latent @ model.loadings[:, len(model.shape_basis) :] @ model.texture_basis)


# engine


def test_every_random_face_is_one_to_the_detector_and_no_two_are_alike(engine, detector):
    photos = engine.synthesize(engine.sample(11, 16))
    assert [len(detector.find(photo)) for photo in photos] == [1] * 16
    flat = photos.reshape(16, -1).astype(float)
    distance = np.abs(flat[:, None] - flat[None]).mean(2) + np.eye(16) * 255
    assert distance.min() > 4  # levels of 255


def test_random_faces_are_level_and_look_straight_ahead(engine, detector):
    landmarks = FaceMesh()
    for photo in engine.synthesize(engine.sample(12, 8)):
        points = landmarks.points(photo, detector.find(photo)[0])
        left, right = points[list(LEFT_EYE)].mean(0), points[list(RIGHT_EYE)].mean(0)
        assert abs(left[1] - right[1]) < 2.5
        assert abs((left[0] + right[0]) / 2 - SIZE / 2) < 2.5


def test_a_face_is_closer_to_its_own_reconstruction_than_to_random_faces(engine, detector):
    photo = skimage.data.astronaut()
    face = detector.find(photo)[0]
    frame, _ = align(photo, FaceMesh().points(photo, face))
    inner = np.s_[:, 36:100, 36:100]
    candidates = np.concatenate(
        [engine.synthesize(engine.encode(photo, face)[None]), engine.synthesize(engine.sample(0, 24))]
    )
    distance = np.abs(candidates[inner].astype(float) - frame[None][inner]).mean((1, 2, 3))
    assert distance.argmin() == 0
    assert distance[0] < 0.8 * distance[1:].min()


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="needs ../shared/data/photos beside the checkout")
def test_each_portrait_is_told_from_the_others_by_its_reconstruction(engine, detector):
    portraits = [cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in sorted(PHOTOS.iterdir())]
    faces = [detector.find(portrait)[0] for portrait in portraits]
    landmarks = FaceMesh()
    found = zip(portraits, faces, strict=True)
    frames = np.stack([whiten(align(p, landmarks.points(p, f))[0]) for p, f in found]).astype(float)
    latents = np.stack([engine.encode(p, f) for p, f in zip(portraits, faces, strict=True)])
    renders = engine.synthesize(latents).astype(float)
    distance = np.abs(frames[:, None] - renders[None])[:, :, 24:112, 24:104].mean((2, 3, 4))
    assert distance.argmin(1).tolist() == list(range(len(portraits)))


def test_a_face_that_cannot_be_read_is_refused_by_the_engine(engine, detector):
    with pytest.raises(ModelError) as caught:
        engine.encode(skimage.data.coffee(), detector.find(skimage.data.astronaut())[0])
    assert caught.value.slug == "face-not-readable"


def test_a_latent_out_of_reach_is_refused_and_one_within_is_not():
    within = np.append(np.full(9, 3.9, np.float32), np.float32(90))  # the tenth is a detail
    assert np.array_equal(_within_reach(within, 9), within)
    with pytest.raises(ModelError, match="Send a photo from the front") as caught:
        _within_reach(np.full(9, 4.1, np.float32), 9)
    assert caught.value.slug == "face-not-readable"


def test_a_hand_before_the_face_changes_the_rest_little(engine, detector):
    photo = skimage.data.astronaut()
    face = detector.find(photo)[0]
    covered = photo.copy()
    covered[150:180, 180:215] = (30, 200, 40)  # the left jaw
    renders = engine.synthesize(np.stack([engine.encode(p, face) for p in (photo, covered)])).astype(float)
    change = np.abs(renders[0] - renders[1])[20:70, 36:100].mean()
    other = np.abs(renders[0] - engine.synthesize(engine.sample(0, 1))[0])[20:70, 36:100].mean()
    assert change < 0.5 * other


def test_a_device_that_torch_lacks_is_refused_with_what_to_do(shipped):
    with pytest.raises(ModelError, match="use cpu") as caught:
        AppearanceEngine(shipped, "warp-drive")
    assert caught.value.slug == "device-missing"


def test_a_photo_alone_is_finished_as_among_others():
    torch.manual_seed(0)
    finisher, renders, noise = Finisher((4, 6)), torch.rand(3, 3, 32, 32), fixed_noise(32, 32)
    torch.nn.init.normal_(finisher.leave.weight, std=0.1)
    among = finisher(renders, noise.expand(3, -1, -1, -1))
    alone = torch.cat([finisher(render[None], noise) for render in renders])
    torch.testing.assert_close(alone, among, atol=1e-5, rtol=0)
    assert (alone - renders).abs().max() > 0.05


def test_an_untrained_finisher_passes_renders_through():
    renders = torch.rand(1, 3, 32, 32)
    assert torch.equal(Finisher((4, 6))(renders, fixed_noise(32, 32)), renders)


# weights


def test_weights_survive_a_round_trip_but_for_the_rounding(tiny, saved):
    loaded = files.load(saved)
    assert loaded.widths == tiny.widths
    for name in ("mean_shape", "triangles", "shape_basis", "loadings"):
        assert np.array_equal(getattr(loaded.model, name), getattr(tiny.model, name)), name
    assert np.array_equal(loaded.model.detail.frequencies, tiny.model.detail.frequencies)
    assert np.array_equal(loaded.population.draw(0, 3), tiny.population.draw(0, 3))
    latent = np.float32([1, -1, 1, -1, 1, 1, -1])
    assert np.abs(loaded.model.render(latent) - tiny.model.render(latent)).max() < 0.01
    renders = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        before, after = (w.finisher(renders, fixed_noise(32, 32)) for w in (tiny, loaded))
    assert torch.allclose(before, after, atol=0.05)


def test_large_tensors_are_int8_with_a_scale_per_row(saved):
    tensors = parse_tensors((saved / files.MODEL).read_bytes())
    assert tensors["texture_basis"].dtype == np.int8
    assert tensors["texture_basis.scale"].shape == (3,)
    assert np.abs(tensors["texture_basis"]).max() == 127


def test_the_shipped_weights_are_small(shipped):
    directory = WEIGHTS / "appearance"
    assert sum(path.stat().st_size for path in directory.iterdir()) <= 12.5 * 10**6
    assert shipped.model.components == 368


def slug_of(directory):
    with pytest.raises(ModelError) as caught:
        files.load(directory)
    return caught.value.slug, caught.value.detail


@pytest.mark.parametrize("name", [files.CONFIG, files.MODEL, files.FINISHER])
def test_a_missing_file_is_named(saved, name):
    (saved / name).unlink()
    slug, detail = slug_of(saved)
    assert slug == "weights-missing"
    assert name in detail


@pytest.mark.parametrize("name", [files.MODEL, files.FINISHER])
def test_a_truncated_file_is_damaged(saved, name):
    blob = (saved / name).read_bytes()
    (saved / name).write_bytes(blob[: len(blob) // 2])
    slug, detail = slug_of(saved)
    assert slug == "weights-damaged"
    assert name in detail


def replace_file(directory, name, blob):
    """Write a file, and its sha256 into config.json, as if it had been saved like that."""
    (directory / name).write_bytes(blob)
    edit_config(directory, lambda config: config["files"].update({name: hashlib.sha256(blob).hexdigest()}))


def edit_config(directory, change):
    config = json.loads((directory / files.CONFIG).read_text())
    change(config)
    (directory / files.CONFIG).write_text(json.dumps(config))


def edit_model(directory, change):
    tensors = parse_tensors((directory / files.MODEL).read_bytes())
    change(tensors)
    replace_file(directory, files.MODEL, format_tensors(tensors))


def test_a_file_that_is_no_safetensors_is_damaged(saved):
    replace_file(saved, files.MODEL, b"not tensors at all")
    assert slug_of(saved)[0] == "weights-damaged"


def test_numbers_that_are_not_finite_are_damage(saved):
    edit_model(saved, lambda t: t.update({"texture_basis.scale": np.float32([1, np.nan, 1])}))
    slug, detail = slug_of(saved)
    assert slug == "weights-damaged"
    assert "not finite" in detail


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda t: t.pop("loadings"), "loadings: absent"),
        (lambda t: t.update(loadings=np.eye(4, dtype=np.float32)), "loadings: (4, 4)"),
        (lambda t: t.update(more=np.zeros(3, np.float32)), "more: (3,)"),
        (lambda t: t.pop("texture_basis.scale"), "texture_basis is int8 without a scale"),
        (lambda t: t.update(triangles=t["triangles"] + 1000), "triangles are not numbers"),
        (lambda t: t.update(frequencies=-t["frequencies"]), "frequencies of 0 or more"),
        (lambda t: t.update(deviations=0 * t["deviations"]), "deviations above zero"),
        (lambda t: t.update(groups=np.int32([0, 0, 0, 1])), "groups 0, 1, ... of two or more"),
        (lambda t: t.update(groups=np.float32([0, 0, 1, 1])), "groups 0, 1, ... of two or more"),
    ],
)
def test_tensors_that_do_not_fit_are_named(saved, change, complaint):
    edit_model(saved, change)
    slug, detail = slug_of(saved)
    assert slug == "weights-mismatch"
    assert complaint in detail


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.update(format="ligan-appearance-1"),
        lambda c: c.update(noise=-1),
        lambda c: c.pop("vertices"),
        lambda c: c.update(finisher_widths=[8, 8]),
    ],
)
def test_a_config_of_another_format_is_a_mismatch(saved, change):
    edit_config(saved, change)
    assert slug_of(saved)[0] == "weights-mismatch"


def test_a_config_that_is_no_json_is_a_mismatch(saved):
    (saved / files.CONFIG).write_text("{")
    assert slug_of(saved)[0] == "weights-mismatch"
