import threading

import numpy as np
import pytest

from backend_container import loading
from backend_container.loading import Models, fingerprint
from backend_container.models.engine import FaceBox, ModelError
from backend_container.models.fake import FakeDetector, FakeEngine
from backend_container.phases import Phases, process_age
from ligan.ids import new_id
from ligan.wire.job import Bootstrap
from tests.backend_container.builders import ONE_FACE, OTHER_FACE, PASSER_BY, photo
from tests.ligan.stub import wait_until


def bootstrap(**changes):
    whole = {"role": "backend", "nonce": new_id(), "instance_id": "s-1", "token": "t", "daemon_url": "http://x"}
    return Bootstrap.model_validate({**whole, "orphan_lease_s": 1, "protocol": 1, **changes})


def test_the_fake_engine_is_loaded_by_its_name_and_warmed_up():
    phases = Phases()
    models = loading.load(bootstrap(engine="fake"), phases)
    assert models.engine.name == "fake"
    assert models.engine.encoded == 1
    assert list(phases.ended) == ["imports", "weights", "warmup"]
    assert list(phases.ended.values()) == sorted(phases.ended.values())


def test_an_unknown_engine_is_answered_with_all_valid_ones():
    with pytest.raises(ModelError, match="appearance, stylegan2"):
        loading.load(bootstrap(engine="crystal-ball", device="cpu"), Phases())


@pytest.mark.parametrize("engine", ["appearance", "stylegan2"])
def test_missing_weights_are_said_to_be_missing(engine, tmp_path):
    with pytest.raises(ModelError) as caught:
        loading.load(bootstrap(engine=engine, weights=str(tmp_path / "nowhere"), device="cpu"), Phases())
    assert caught.value.slug == "weights-missing"


def test_a_gpu_that_is_not_there_is_missed_unless_any_device_will_do():
    assert loading._device("auto", lambda: False) == "cpu"
    assert loading._device("auto", lambda: True) == "cuda"
    assert loading._device("cpu", lambda: True) == "cpu"
    with pytest.raises(ModelError, match="no GPU"):
        loading._device("cuda", lambda: False)


def test_a_fingerprint_is_that_of_the_tensors(tmp_path):
    (tmp_path / "b.safetensors").write_bytes(b"two")
    (tmp_path / "a.safetensors").write_bytes(b"one")
    first = fingerprint(tmp_path)
    (tmp_path / "MODEL_CARD.md").write_text("words")
    assert fingerprint(tmp_path) == first
    (tmp_path / "a.safetensors").write_bytes(b"One")
    assert fingerprint(tmp_path) != first


def test_an_average_face_that_cannot_be_encoded_does_not_stop_the_start():
    class Blind(FakeEngine):
        def encode(self, photo, face):
            raise ModelError("face-not-readable", "No eyes.")

    loading._warm_up(Models(Blind(), FakeDetector()))


def test_faces_are_those_of_the_foreground_from_left_to_right():
    found = Models(FakeEngine(), FakeDetector()).faces(photo(OTHER_FACE, PASSER_BY, ONE_FACE))
    assert [face.left for face in found] == [ONE_FACE[0], OTHER_FACE[0]]


def test_the_detector_sees_one_photo_at_a_time():
    inside, most, go = [], [], threading.Event()

    class Slow:
        def find(self, photo):
            inside.append(1)
            most.append(len(inside))
            go.wait(0.05)
            inside.pop()
            return [FaceBox(0, 0, 9, 9, 1.0)]

    models = Models(FakeEngine(), Slow())
    lookers = [threading.Thread(target=models.faces, args=(np.zeros((9, 9, 3), np.uint8),)) for _ in range(4)]
    for looker in lookers:
        looker.start()
    wait_until(lambda: len(most) == 4, "all have looked")
    for looker in lookers:
        looker.join()
    assert max(most) == 1


def test_a_process_ages():
    first = process_age()
    wait_until(lambda: process_age() > first, "time passes")
    assert 0 < first < 24 * 3600
