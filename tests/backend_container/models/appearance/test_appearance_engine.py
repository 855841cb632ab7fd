"""The `appearance` engine; with the weights that belong to the package."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch

from backend_container.models.appearance.align import SIZE, align, whiten
from backend_container.models.appearance.engine import AppearanceEngine, _within_reach
from backend_container.models.appearance.finisher import Finisher, fixed_noise
from backend_container.models.engine import ModelError
from backend_container.models.landmarks import LEFT_EYE, RIGHT_EYE, FaceMesh

PHOTOS = Path(__file__).resolve().parents[5] / "shared/data/photos"


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


@pytest.mark.parametrize("device", ["warp-drive", "meta"])
def test_a_device_that_torch_lacks_is_refused_with_what_to_do(shipped, device):
    with pytest.raises(ModelError, match="use cpu") as caught:
        AppearanceEngine(shipped, device)
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
