import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch

from backend_container.models.attributes import age_gender, loader
from backend_container.models.attributes import weights as files
from backend_container.models.attributes.age_gender import AgeGender
from backend_container.models.attributes.ages import age_group, group_probabilities
from backend_container.models.attributes.backbone import Backbone, load_backbone
from backend_container.models.attributes.efficientnet import EfficientNet
from backend_container.models.attributes.histogram_plot import histogram_svg
from backend_container.models.attributes.histograms import as_json, histograms
from backend_container.models.attributes.layout import CELEBA_HEADS, FAIRFACE_HEADS, Head
from backend_container.models.attributes.network import HeadNetwork, NetworkConfig
from backend_container.models.attributes.predictor import Attribute, CombinedPredictor, decide
from backend_container.models.attributes.trained import StyleEmbedding, TrainedPredictor
from backend_container.models.engine import ModelError

HAIR = [Attribute("Black", family="hair"), Attribute("Blond", family="hair")]


class Brightness:
    """Dark faces are black-haired, bright ones blond, those between hardly either."""

    name = "brightness"
    attributes = (*HAIR, Attribute("shade", ("dark", "middle", "bright")))

    def predict(self, photos):
        light = photos.mean(axis=(1, 2, 3)) / 255
        rows = {"Black": 0.8 - light, "Blond": light - 0.25}
        found = {name: np.stack([1 - yes, yes], 1).clip(0, 1) for name, yes in rows.items()}
        return found | {"shade": np.eye(3)[(light * 2.99).astype(int)]}


def faces(*levels):
    return np.stack([np.full((8, 8, 3), level, np.uint8) for level in levels])


def test_a_face_without_any_hair_colour_gets_the_likeliest():
    predictions = {
        "Black": np.array([[0.7, 0.3], [0.2, 0.8], [0.9, 0.1]]),
        "Blond": np.array([[0.6, 0.4], [0.9, 0.1], [0.3, 0.7]]),
    }
    chosen = decide(HAIR, predictions)
    assert chosen["Black"].tolist() == [0, 1, 0]
    assert chosen["Blond"].tolist() == [1, 0, 1]
    alone = decide([Attribute("Black"), Attribute("Blond")], predictions)
    assert alone["Blond"].tolist() == [0, 0, 1]


def test_histograms_count_both_sets_and_say_how_far_they_are_apart():
    found = histograms(Brightness(), faces(10, 20, 250), faces(250, 240))
    shade = next(one for one in found if one.attribute.name == "shade")
    assert shade.counts.tolist() == [[2, 0, 1], [0, 0, 2]]
    assert shade.distance == pytest.approx(2 / 3)
    assert as_json(found, ("trained", "made"))["Blond"]["made"] == {"no": 0, "yes": 2}


def test_an_empty_set_has_no_shares():
    (first, *_) = histograms(Brightness(), faces(10), faces(10)[:0])
    assert first.shares[1].tolist() == [0, 0]


def test_histograms_are_drawn_with_a_bar_for_each_class_and_set():
    found = histograms(Brightness(), faces(10, 250), faces(250))
    drawing = ET.fromstring(histogram_svg(found, ("trained <on>", "made")))  # noqa: S314 - ours
    texts = [node.text for node in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"trained <on>", "made", "Black", "Blond", "shade: dark", "shade: middle", "shade: bright"} <= {*texts}
    assert [text for text in texts if text.endswith(" %")][:2] == ["50.0 %", "0.0 %"]


def test_ages_fall_into_the_groups_of_fairface():
    assert [age_group(years) for years in (0, 2.9, 3, 19, 20, 69, 70, 116)] == [0, 0, 1, 2, 3, 7, 8, 8]
    with pytest.raises(ValueError, match="0 or more"):
        age_group(-1)
    probabilities = group_probabilities(np.array([[0.25, 0.5, 0.25]], np.float32), np.array([19, 20, 29]))
    assert probabilities[0].tolist() == [0, 0, 0.25, 0.75, 0, 0, 0, 0, 0]


def test_the_packaged_predictor_answers_with_probabilities():
    try:
        predictor = AgeGender()
    except ModelError as error:
        pytest.skip(error.detail)
    photos = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    for attribute in predictor.attributes:
        answer = predictor.predict(photos)[attribute.name]
        assert answer.shape == (3, len(attribute.classes))
        np.testing.assert_allclose(answer.sum(1), 1, rtol=1e-4)
    ages, male = predictor.years_and_male(photos)
    assert ((ages >= 0) & (ages <= 80)).all()
    np.testing.assert_allclose(male, predictor.predict(photos)["gender"][:, 1])
    assert predictor.predict(photos[:0])["age"].shape == (0, 9)


def test_several_predictors_are_one_and_the_first_is_asked_first():
    class Always:
        name = "always"
        attributes = (Attribute("shade", ("dark", "middle", "bright")), Attribute("Bald"))

        def predict(self, photos):
            return {"shade": np.tile([1.0, 0, 0], (len(photos), 1)), "Bald": np.tile([0.0, 1], (len(photos), 1))}

    both = CombinedPredictor([Brightness(), Always()])
    assert {attribute.name for attribute in both.attributes} == {"Black", "Blond", "shade", "Bald"}
    assert both.predict(faces(250))["shade"][0].tolist() == [0, 0, 1]
    assert both.predict(faces(250))["Bald"][0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("variant", "parameters", "dimension"),
    [("b0", 4_007_548, 1280), ("b3", 10_696_232, 1536), ("b7", 63_786_960, 2560)],
)
def test_efficientnets_are_as_large_as_published(variant, parameters, dimension):
    with torch.device("meta"):
        network = EfficientNet(variant)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert network.dimension == dimension
    names = network.state_dict()
    assert {"features.0.0.weight", "features.1.0.block.1.fc1.bias", "features.8.1.running_var"} <= names.keys()


def test_the_style_of_the_thesis_has_4608_numbers():
    celeba = NetworkConfig(backbone="efficientnet_b7", pooling="max", heads=CELEBA_HEADS)
    fairface = NetworkConfig(backbone="efficientnet_b3", pooling="max", hidden=(2048, 2048), heads=FAIRFACE_HEADS)
    styles = [
        HeadNetwork(celeba, 2560).style(torch.zeros(1, 2560)),
        HeadNetwork(fairface, 1536).style(torch.zeros(1, 1536)),
    ]
    assert sum(style.shape[1] for style in styles) == 4608
    assert sum(len(head.outputs) for head in CELEBA_HEADS) == 23


@pytest.fixture(scope="module")
def trained():
    """Random weights with an EfficientNet, and so with a backbone of its own in the folder."""
    torch.manual_seed(0)
    config = NetworkConfig(
        backbone="efficientnet_b0",
        side=32,
        hidden=(8,),
        rank=2,
        heads=(Head(name="race", kind="classes", outputs=("a", "b")),),
    )
    backbone = Backbone("efficientnet_b0").eval()
    return files.AttributeWeights("tiny", config, backbone, files.new_heads(config, backbone).eval(), published=False)


def test_weights_come_back_as_they_were_saved(trained, tmp_path):
    files.save(tmp_path, trained)
    photos = np.random.default_rng(1).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    before, after = TrainedPredictor(trained), TrainedPredictor.load(tmp_path)
    assert (after.name, list(after.attributes)) == ("tiny", [Attribute("race", ("a", "b"))])
    np.testing.assert_allclose(after.predict(photos)["race"], before.predict(photos)["race"], atol=0.02)
    assert StyleEmbedding([before, after]).embed(photos).shape == (3, 16)
    assert after.predict(photos[:0])["race"].shape == (0, 2)


def test_damaged_and_foreign_weights_are_refused(trained, tmp_path):
    with pytest.raises(ModelError, match="ligan train attributes"):
        files.load(tmp_path)
    files.save(tmp_path, trained)
    heads = tmp_path / files.HEADS
    heads.write_bytes(heads.read_bytes()[:-1])
    with pytest.raises(ModelError, match="damaged"):
        files.load(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"efficientnet_b0"', '"vgg"'))
    with pytest.raises(ModelError, match="choose one of: lite0"):
        files.load(tmp_path)


def test_a_users_backbone_is_read_and_a_foreign_one_refused(tmp_path):
    with pytest.raises(ModelError, match="backbone_weights"):
        load_backbone("efficientnet_b0", None)
    theirs = Backbone("efficientnet_b0")
    file = tmp_path / "b0.pth"
    torch.save({**theirs.maps.state_dict(), "classifier.1.weight": torch.zeros(1000, 1280)}, file)
    found = load_backbone("efficientnet_b0", file).maps.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in theirs.maps.state_dict().items())
    with pytest.raises(ModelError, match="does not hold torchvision's efficientnet_b1"):
        load_backbone("efficientnet_b1", file)
    with pytest.raises(ModelError, match="is not there"):
        load_backbone("efficientnet_b1", tmp_path / "none.pth")


def test_heads_must_differ():
    head = Head(name="race", kind="classes", outputs=("a", "b"))
    with pytest.raises(ValueError, match="same name"):
        NetworkConfig(heads=(head, head))
    with pytest.raises(ValueError, match="names an output twice"):
        Head(name="race", kind="classes", outputs=("a", "a"))


def test_what_can_be_had_is_one_predictor(trained, tmp_path, caplog, monkeypatch):
    files.save(tmp_path / "tiny", trained)
    files.save(tmp_path / "torn", trained)
    (tmp_path / "torn" / files.HEADS).unlink()
    found = loader.load_predictor(folder=tmp_path)
    assert "race" in [attribute.name for attribute in found.attributes]
    assert "torn are left out" in caplog.text
    monkeypatch.setattr(age_gender, "PACKAGE", "no-such-carrier")
    assert loader.load_predictor(folder=tmp_path).name == "tiny"
    with pytest.raises(ModelError, match="make setup"):
        loader.load_predictor(folder=tmp_path / "nothing")
