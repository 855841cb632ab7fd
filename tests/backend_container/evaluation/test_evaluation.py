"""A whole evaluation, of an engine and judges without networks."""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from backend_container.datasets.reference import Reference
from backend_container.datasets.sources import open_source
from backend_container.evaluation import command
from backend_container.evaluation.classification import class_of, confusion, figures
from backend_container.evaluation.evaluation import Plan, evaluate
from backend_container.evaluation.groups import groups_of
from backend_container.evaluation.identity import recognise, spread
from backend_container.evaluation.judges import Judges
from backend_container.evaluation.page import page
from backend_container.evaluation.people import chosen
from backend_container.evaluation.progress import Lines
from backend_container.evaluation.reconstruction import signal_to_noise, squared_errors
from backend_container.evaluation.report import Report, Setting
from backend_container.evaluation.sheet import pairs, sheet
from backend_container.evaluation.summary import summary
from backend_container.models.attributes.ages import AGE
from backend_container.models.attributes.predictor import Attribute
from backend_container.models.engine import ModelError
from backend_container.models.fake import FakeDetector, FakeEngine


class Colours:
    """Features, identity and attributes of a photo are its mean colour."""

    name, dimension, same_person_below = "colours", 3, 0.1
    attributes = (Attribute("gender", ("female", "male")),)

    def features(self, photos):
        return (photos.mean((1, 2)) / 255).astype(np.float32)

    embed = features

    def perceptual(self, a, b):
        return (a - b).abs().mean((1, 2, 3))

    def predict(self, photos):
        redder = (photos[..., 0].mean((1, 2)) > photos[..., 2].mean((1, 2))).astype(np.float32)
        return {"gender": np.stack([1 - redder, redder], axis=1)}


SETTING = Setting(
    engine="fake", resolution=32, weights=None, features="colours", identity="colours", photos="set", count=20, seed=0
)
JUDGES = Judges(FakeDetector(), Colours(), Colours(), Colours())


def silent(what, done, of):
    assert 0 < done <= of, what


@pytest.fixture
def photos(tmp_path):
    """Ten people, one of them a child, a photo without a face and two broken files."""
    folder = tmp_path / "people"
    folder.mkdir()
    rng = np.random.default_rng(0)
    labels = []
    for number in range(10):
        photo = rng.integers(60, 200, 3)[None, None] + rng.integers(-9, 9, (40, 40, 3))
        cv2.imwrite(str(folder / f"{number}.png"), photo.astype(np.uint8))
        gender = ("female", "male")[number % 2]
        labels.append({"file": f"{number}.png", "gender": gender, "age": 7 if number == 9 else 30 + number})
    cv2.imwrite(str(folder / "plain.png"), np.full((40, 40, 3), 9, np.uint8))
    (folder / "broken.jpg").write_bytes(b"no image")
    (folder / "empty.png").touch()
    (tmp_path / "people.json").write_text(json.dumps(labels))
    return list(open_source(folder).references())


def test_a_generator_without_an_encoder_is_judged_as_far_as_it_can_be(photos):
    class NoEncoder(FakeEngine):
        def encode(self, photo, face):
            raise ModelError("weights-missing", "Train its encoder.")

        def frame(self, photo, face):
            return cv2.resize(photo, (self.resolution, self.resolution))

    evaluation = evaluate(NoEncoder(), JUDGES, photos, Plan(count=20), SETTING, silent)
    report = evaluation.report
    assert len(report.left_out) == 3, "its photos are read all the same"
    assert report.likeness.photos == 9
    assert report.likeness.fid >= 0
    assert report.attributes
    assert report.reconstruction is None
    assert [(one.what, one.reason) for one in report.absent] == [("reconstruction", "Train its encoder.")]
    assert all(group.reconstruction is None for group in report.groups)
    assert "Train its encoder." in page(evaluation)
    assert "FID" in summary(report)


def test_a_whole_evaluation(photos):
    evaluation = evaluate(FakeEngine(), JUDGES, photos, Plan(count=20), SETTING, silent)
    report = evaluation.report
    assert {one.name for one in report.left_out} == {"plain.png", "broken.jpg", "empty.png"}
    assert all(one.reason for one in report.left_out)
    assert report.reconstruction.count == 9, "the child is left aside"
    assert report.reconstruction.mse < 1e-5, "the fake engine loses nothing but a rounding"
    assert report.reconstruction.rank_one == report.reconstruction.same_person == 1
    assert report.random.accepted == 1
    assert 0 < report.random.identity_nearest < report.random.identity_mean
    assert (report.likeness.photos, report.likeness.faces) == (9, 20)
    assert {(group.label, group.value): group.count for group in report.groups} == {
        ("age", "30 to 44"): 9,
        ("gender", "female"): 5,
        ("gender", "male"): 4,
    }
    assert report.attributes[0].count == 9
    assert sum(map(sum, report.attributes[0].confusion)) == 9
    assert report.absent == []


def test_the_same_seed_gives_the_same_report_and_page(photos):
    once, again = (evaluate(FakeEngine(), JUDGES, photos, Plan(count=8, seed=3), SETTING, silent) for _ in range(2))
    assert once.report == again.report
    assert page(once) == page(again)
    other = evaluate(FakeEngine(), JUDGES, photos, Plan(count=8, seed=4), SETTING, silent)
    assert other.report != once.report


def test_a_report_survives_its_file(photos):
    report = evaluate(FakeEngine(), JUDGES, photos, Plan(count=8), SETTING, silent).report
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_the_page_is_one_file_that_needs_no_script(photos):
    html = page(evaluate(FakeEngine(), JUDGES, photos, Plan(count=20), SETTING, silent))
    assert "<script" not in html
    assert "http://" not in html.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "https://" not in html
    assert html.count("<img ") == html.count('src="data:image/webp;base64,') == html.count(' alt="') == 3
    assert html.count("<svg ") == html.count("<title>") - 1, "each drawing is named"
    for text in ("FID", "rank-1", "gender", "broken.jpg", "30 to 44"):
        assert text in html


def test_names_of_files_are_no_html(photos, tmp_path):
    folder = tmp_path / "hostile"
    folder.mkdir()
    (folder / "<script>alert(1)<&.png").write_bytes(b"x")
    html = page(evaluate(FakeEngine(), JUDGES, list(open_source(folder).references()), Plan(count=4), SETTING, silent))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;&amp;.png" in html


def test_without_photos_or_judges_it_says_what_is_not_there():
    evaluation = evaluate(FakeEngine(), Judges(FakeDetector()), None, Plan(count=4), SETTING, silent)
    assert evaluation.report.likeness is evaluation.report.reconstruction is None
    assert evaluation.report.random.identity_mean is None
    assert [absent.what for absent in evaluation.report.absent] == [
        "FID, KID, precision, recall, reconstruction, attributes"
    ]
    assert "not there: FID" in summary(evaluation.report)
    assert "Not there" in page(evaluation)


def test_one_face_is_no_evaluation():
    with pytest.raises(ValueError, match="two faces or more"):
        evaluate(FakeEngine(), JUDGES, None, Plan(count=1), SETTING, silent)


# Parts


def test_errors_are_of_pixels_from_0_to_1():
    black, white = np.zeros((2, 4, 4, 3), np.uint8), np.full((2, 4, 4, 3), 255, np.uint8)
    white[1] = 51
    errors = squared_errors(black, white)
    np.testing.assert_allclose(errors, [1, 0.04])
    np.testing.assert_allclose(signal_to_noise(errors), [0, 10 * np.log10(1 / 0.04)])
    assert signal_to_noise(np.zeros(1)) == [100]


def test_rank_one_takes_another_photo_of_the_same_person():
    photos = np.array([[0, 0], [0.1, 0], [5, 5], [9, 9]], np.float32)
    made = np.array([[0.09, 0], [0.1, 0], [8, 8], [9, 9]], np.float32)
    found = recognise(photos, made, ["a", "a", "b", "c"])
    assert found.rank_one.tolist() == [True, True, False, True]
    np.testing.assert_allclose(found.distances[2], np.hypot(3, 3), rtol=1e-5)
    assert recognise(photos, made, ["a", "x", "b", "c"]).rank_one.tolist() == [False, True, False, True]


def test_spread_is_of_all_pairs_and_nearest_ones():
    found = spread(np.array([[0], [1], [3]], np.float32))
    np.testing.assert_allclose(np.sort(found.pairs), [1, 2, 3], atol=1e-5)
    np.testing.assert_allclose(found.nearest, [1, 1, 2], atol=1e-5)


def test_precision_and_recall_of_a_class_are_columns_and_rows():
    labels, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 0])
    found = figures(Attribute("hair", ("red", "black", "white")), confusion(labels, predicted, 3))
    assert found.confusion == [[2, 1, 0], [1, 1, 0], [1, 0, 0]]
    assert found.precision == [0.5, 0.5, None]
    assert found.recall == [2 / 3, 0.5, 0]
    assert found.accuracy == 0.5


@pytest.mark.parametrize(
    ("attribute", "labels", "number"),
    [
        (Attribute("gender", ("female", "male")), {"gender": "Male"}, 1),
        (Attribute("gender", ("female", "male")), {"gender": "unknown"}, None),
        (Attribute("race", ("White", "East Asian")), {"eth": "east_asian"}, 1),
        (Attribute("race", ("white", "asian")), {"eth": "east_asian"}, 1),
        (Attribute("Smiling"), {"Smiling": True}, 1),
        (Attribute("Smiling"), {"Smiling": -1}, 0),
        (Attribute("Smiling"), {}, None),
        (AGE, {"age": "34"}, 4),
        (AGE, {"age": "?"}, None),
        (AGE, {"age": "0-2"}, 0),
        (AGE, {"age": "20-29"}, 3),
        (AGE, {"age": "more than 70"}, 8),
        (AGE, {"age": "70+"}, 8),
    ],
)
def test_labels_are_read_as_sets_write_them(attribute, labels, number):
    assert class_of(attribute, labels) == number


def test_groups_share_people():
    found = groups_of([{"eth": "east_asian", "age": 20}, {"race": "East Asian", "gender": "female"}, {"age": None}])
    assert found == {("age", "18 to 29"): [0], ("ethnicity", "east asian"): [0, 1], ("gender", "female"): [1]}


def test_celebas_attribute_tells_the_gender():
    found = groups_of([{"Male": True, "Bald": False}, {"Male": False}, {"Bald": True}])
    assert found == {("gender", "female"): [1], ("gender", "male"): [0]}


def test_people_of_a_group_of_younger_ones_are_left_aside():
    """FairFace's labels."""
    ages = ("0-2", "3-9", "10-19", "20-29", "more than 70", "5", 30, "unknown")
    photos = [Reference(str(age), Path("x"), labels={"age": age}) for age in ages]
    assert [photo.name for photo in chosen(photos, 9, 0, 18)] == ["20-29", "more than 70", "30", "unknown"]


def test_sheets_hold_every_photo():
    photos = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 3), np.uint8)
    picture = sheet(photos, columns=3)
    assert picture.shape == (4, 9, 3)
    assert [picture[0, 0, 0], picture[0, 8, 0], picture[3, 3, 0], picture[3, 8, 0]] == [0, 2, 4, 255]
    assert pairs(photos, photos + 100)[2, 3, 0] == 101


def test_progress_tells_each_stage_and_how_long_it_takes(capsys):
    times = iter([0.0, 1.0, 6.0, 7.0, 20.0])
    tell = Lines(clock=lambda: next(times))
    for done in (1, 2, 3, 10):
        tell("photos", done, 10)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["photos: 2 of 10, 24 s left", "photos: 10 of 10"]


def test_perceptual_distances_are_one_for_each_pair():
    from backend_container.evaluation.reconstruction import perceptual_distances

    photos = np.zeros((3, 4, 4, 3), np.uint8)
    other = photos.copy()
    other[1] = 255
    assert perceptual_distances(Colours(), photos, other).tolist() == [0, 2, 0]
    assert torch.is_inference_mode_enabled() is False


def test_a_report_that_cannot_be_written_is_refused_before_the_work(tmp_path, capsys):
    (tmp_path / "report").write_text("a file")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.evaluate(parser.parse_args(["--engine", "unknown", "--out", str(tmp_path / "report")])) == 1
    assert "The report cannot be written to" in capsys.readouterr().err


def test_labels_of_other_photos_are_refused(photos, tmp_path, capsys):
    """Figures by group would be left out without a word."""
    (tmp_path / "other.csv").write_text("file,age\nperson.png,3\n")
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = ("--photos", tmp_path, "--labels", tmp_path / "other.csv", "--out", tmp_path / "report")
    assert command.evaluate(parser.parse_args([str(word) for word in words])) == 1
    assert "says nothing of any image" in capsys.readouterr().err
