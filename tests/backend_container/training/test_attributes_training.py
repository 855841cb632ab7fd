import copy
import json

import numpy as np
import pytest
import torch

from backend_container.datasets.shards import FaceShards, ShardWriter
from backend_container.models.attributes.layout import CELEBA_HEADS, FAIRFACE_HEADS, UTKFACE_HEADS, Head
from backend_container.models.attributes.trained import TrainedPredictor
from backend_container.models.engine import ModelError
from backend_container.training.attributes import metrics
from backend_container.training.attributes.calibration import calibrate
from backend_container.training.attributes.colour import jitter
from backend_container.training.attributes.config import Config
from backend_container.training.attributes.features import CHUNK, PooledFeatures
from backend_container.training.attributes.losses import class_weights, first_bias, focal, loss
from backend_container.training.attributes.targets import held_out, own_parts, read_targets
from backend_container.training.attributes.trainer import make_trainer
from backend_container.training.error import TrainingError
from backend_container.training.processes import Processes
from backend_container.training.trainer import Facts

BINARY = Head(name="some", kind="binary", outputs=("Male", "Bald"))
SIDE = 32


def test_the_focal_loss_is_that_of_its_equation():
    logits, wanted = torch.tensor([[2.0, -1.0]]), torch.tensor([[1.0, 0.0]])
    p = torch.tensor([torch.sigmoid(logits[0, 0]), 1 - torch.sigmoid(logits[0, 1])])
    expected = (torch.tensor([0.3, 0.7]) * (1 - p) ** 2 * -p.log()).mean()
    assert focal(logits, wanted, gamma=2, alpha=0.3).item() == pytest.approx(expected.item(), rel=1e-5)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
    assert focal(logits, wanted, gamma=0, alpha=0.5).item() == pytest.approx(entropy.item() / 2, rel=1e-5)


def test_an_untrained_head_answers_with_the_frequencies():
    wanted = torch.zeros(100, 2)
    wanted[:20, 0] = 1
    assert torch.sigmoid(first_bias(BINARY, wanted)).tolist() == pytest.approx([0.2, 0.0], abs=0.01)
    classes = first_bias(UTKFACE_HEADS[0], torch.tensor([0] * 75 + [2] * 25))
    assert classes.softmax(0).tolist() == pytest.approx([0.75, 0, 0.25, 0, 0], abs=0.02)


def test_balanced_classes_count_alike_however_rare():
    wanted = {"race": torch.tensor([0] * 8 + [1] * 2), "some": torch.zeros(10, 2)}
    weights = class_weights([UTKFACE_HEADS[0], BINARY], wanted)
    assert weights["race"].tolist() == pytest.approx([0.25, 1, 0, 0, 0])
    logits = {"race": torch.zeros(10, 5), "some": torch.zeros(10, 2)}
    logits["race"][:, 0] = 1
    found = loss([UTKFACE_HEADS[0]], logits, wanted, 2, 0.5, weights)["race"].item()
    each = torch.nn.functional.cross_entropy(logits["race"][[0, 9]], wanted["race"][[0, 9]])
    assert found == pytest.approx(each.item())


def test_calibration_can_count_classes_alike():
    head, layer = Head(name="race", kind="classes", outputs=("a", "b")), torch.nn.Linear(1, 2)
    layer.weight.data, layer.bias.data = torch.zeros(2, 1), torch.zeros(2)
    wanted, logits = torch.tensor([0] * 90 + [1] * 10), torch.zeros(100, 2)
    calibrate([head], {"race": layer}, {"race": logits}, {"race": wanted}, {"race": torch.tensor([1 / 9, 1.0])})
    assert layer.bias.softmax(0).tolist() == pytest.approx([0.5, 0.5], abs=0.01)
    calibrate([head], {"race": layer}, {"race": logits}, {"race": wanted}, {})
    assert layer.bias.softmax(0).tolist() == pytest.approx([0.9, 0.1], abs=0.02)


def test_labels_are_read_as_the_sets_write_them():
    celeba = {name: name == "Male" for head in CELEBA_HEADS for name in head.outputs}
    found = read_targets(CELEBA_HEADS, [celeba, {}])
    assert found.faces.tolist() == [0]
    assert [found.wanted[name].tolist() for name in ("hair", "gender")] == [[[0] * 5], [[1]]]
    fairface = {"age": "more than 70", "race": "Latino_Hispanic", "gender": "Male"}
    east_asian = {"age": "3-9", "race": "East Asian", "gender": "Female"}
    found = read_targets(FAIRFACE_HEADS, [fairface, east_asian])
    assert (found.wanted["race"].tolist(), found.wanted["age"].tolist()) == ([6, 3], [8, 1])
    utkface = [{"age": 25, "race": "indian"}, {"age": 25, "race": "martian"}, {"age": "x", "race": "white"}]
    assert read_targets(UTKFACE_HEADS, utkface).faces.tolist() == [0]
    with pytest.raises(ValueError, match="race, age"):
        read_targets(UTKFACE_HEADS, [{}])


def test_faces_are_held_out_by_their_names_alone():
    names = [f"{number}.webp" for number in range(2000)]
    parts = held_out(names, 0.2)
    assert sorted(np.concatenate(parts).tolist()) == list(range(2000))
    assert [len(part) / 2000 for part in parts] == pytest.approx([0.8, 0.1, 0.1], abs=0.03)
    again = held_out(names[::-1], 0.2)
    assert {names[::-1][face] for face in again[2]} == {names[face] for face in parts[2]}


@pytest.mark.parametrize("words", [("train", "valid", "test"), ("0", "1", "2")])
def test_a_sets_own_parts_are_taken(words):
    """CelebA's list and its table write them so."""
    parts = own_parts([{"partition": words[part]} for part in (0, 2, 1, 0)])
    assert [part.tolist() for part in parts] == [[0, 3], [2], [1]]
    assert own_parts([{"partition": words[part]} for part in (0, 1, 0)]) is None
    assert own_parts([*({"partition": word} for word in words), {}]) is None


def test_features_are_computed_once_and_in_the_same_company():
    asked = []

    def compute(faces, mirrored):
        asked.append((faces.tolist(), mirrored))
        return torch.from_numpy(np.stack([faces, faces + 100 * mirrored], 1).astype(np.float32))

    kept = PooledFeatures(CHUNK + 3, 2, compute)
    rows = kept.rows(np.array([CHUNK + 1, 0, CHUNK + 1]), np.array([False, True, True]))
    assert rows.tolist() == [[CHUNK + 1, CHUNK + 1], [0, 100], [CHUNK + 1, CHUNK + 101]]
    kept.rows(np.array([2]), np.array([True]))
    last, first = list(range(CHUNK, CHUNK + 3)), list(range(CHUNK))
    assert sorted(asked) == [(first, True), (last, False), (last, True)]


def calibration_error(scores, positive, bins=10):
    """Expected calibration error: how far shares are from probabilities, by bins of equal width."""
    numbers = np.minimum((scores * bins).astype(np.intp), bins - 1)
    off = [abs(float(scores[numbers == n].sum() - positive[numbers == n].sum())) for n in range(bins)]
    return sum(off) / len(scores)


def test_calibrated_probabilities_are_shares():
    source = torch.Generator().manual_seed(0)
    truth = torch.rand(4000, 2, generator=source)
    wanted = (torch.rand(4000, 2, generator=source) < truth).float()
    layer = torch.nn.Linear(2, 2)
    layer.weight.data, layer.bias.data = torch.eye(2) * 0.3, torch.tensor([1.0, -1.0])
    inputs = torch.logit(truth.clamp(0.01, 0.99))
    calibrate([BINARY], {"some": layer}, {"some": layer(inputs).detach()}, {"some": wanted}, {})
    for column in range(2):
        scores = layer(inputs).sigmoid()[:, column].detach().numpy()
        assert calibration_error(scores, wanted[:, column].numpy() > 0) < 0.03
    assert calibration_error(torch.sigmoid(0.3 * inputs[:, 0] + 1).numpy(), wanted[:, 0].numpy() > 0) > 0.1


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    source = np.random.default_rng(0)
    positive = source.random(200) < 0.3
    scores = np.round(source.random(200) + 0.3 * positive, 1)
    assert metrics.auc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))
    assert metrics.auc(scores, np.zeros(200, bool)) is None


def test_colours_change_and_shapes_stay():
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(jitter(images, 0.0, torch.Generator()), images, atol=1e-6)
    moved = jitter(images, 0.5, torch.Generator().manual_seed(1))
    assert moved.shape == images.shape
    assert 0 <= moved.min() <= moved.max() <= 1
    assert not torch.allclose(moved, images, atol=0.01)


# The trainer ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Faces of two races: bright and dark; the light is the label."""
    folder = tmp_path_factory.mktemp("shards")
    writer, source = ShardWriter(folder, SIDE), np.random.default_rng(0)
    for number in range(200):
        bright = number % 2
        photo = source.integers(128 * bright, 128 * bright + 128, (SIDE, SIDE, 3), dtype=np.uint8)
        labels = {"age": 25 + 30 * bright, "race": ("black", "white")[bright], "gender": "male"}
        writer.add(f"{number}.png", photo, labels)
    writer.finish()
    return FaceShards.open(folder)


def trainer(shards, **changes):
    config = Config(
        **{"labels": "utkface", "side": SIDE, "batch": 8, "steps": 30, "dropout": 0.2, "rate": 0.01} | changes
    )
    try:
        return make_trainer(config, shards, torch.device("cpu"), Processes())
    except ModelError as error:
        pytest.skip(error.detail)


def test_heads_learn_and_what_they_learnt_is_written(shards, tmp_path):
    made = trainer(shards, steps=150, batch=32, dropout=0.0, held_out=0.5)
    losses = [made.step() for _ in range(150)]
    assert losses[-1]["race"] < losses[0]["race"] / 2
    made.finish(tmp_path)
    predictor = TrainedPredictor.load(tmp_path)
    races = predictor.predict(shards.photos(np.arange(40)))["race"].argmax(1)
    assert (races == [1, 0] * 20).mean() > 0.85
    rows = json.loads((tmp_path / "metrics.json").read_text())
    assert {"race: white", "race: black", "age: 20-29"} <= {row["attribute"] for row in rows}
    assert {row["group"] for row in rows} == {"all", "gender male"}
    card = made.card(Facts(30, 240, 1.5, "cpu", 1, {}))
    assert "# Attributes: utkface" in card
    assert "200 of the 200 faces of the set" in card
    assert not (tmp_path / "backbone.safetensors").exists()


def test_few_test_faces_have_figures_too(shards, tmp_path):
    made = trainer(shards, steps=1, held_out=0.1)
    made.step()
    made.finish(tmp_path)
    rows = json.loads((tmp_path / "metrics.json").read_text())
    assert {row["group"] for row in rows if row["faces"] < metrics.LEAST} == {"all", "gender male"}
    assert f"on {rows[0]['faces']} faces that training" in made.card(Facts(1, 8, 1.5, "cpu", 1, {}))


def test_too_few_faces_are_refused(shards):
    with pytest.raises(ValueError, match="200 labelled faces are too few"):
        trainer(shards, held_out=0.001)


@pytest.mark.parametrize("backbone", ["identity", "identity+lite0"])
def test_heads_learn_groups_from_features_of_faces(shards, tmp_path, backbone):
    changes = {"heads": ["race"], "hidden": [8], "standardise": True, "balanced": True, "held_out": 0.5}
    made = trainer(shards, backbone=backbone, steps=60, batch=32, **changes)
    losses = [made.step() for _ in range(60)]
    assert losses[-1].keys() == {"race"}
    assert losses[-1]["race"] < losses[0]["race"] / 2
    made.finish(tmp_path)
    predictor = TrainedPredictor.load(tmp_path)
    assert [attribute.name for attribute in predictor.attributes] == ["race"]
    races = predictor.predict(shards.photos(np.arange(40)))["race"].argmax(1)
    assert (races == [1, 0] * 20).mean() > 0.85


def test_heads_that_labels_lack_are_refused():
    with pytest.raises(ValueError, match="heads of the labels utkface are race, age"):
        Config(labels="utkface", heads=["hair"])


def test_a_resumed_training_ends_at_the_same_bits(shards):
    whole, first, second = (trainer(shards, steps=6, frozen=0.5) for _ in range(3))
    for _ in range(6):
        whole.step()
    for _ in range(4):
        first.step()
    second.load(first.state())
    for _ in range(2):
        second.step()
    one, other = whole.state(), second.state()
    assert one["backbone"]
    for part in ("heads", "backbone"):
        assert all(torch.equal(one[part][name], other[part][name]) for name in one[part])


def test_a_backbone_that_learnt_goes_on_learning_through_more_steps(shards):
    """Of more steps a frozen share is more: but what has begun to learn does not freeze again."""
    first, second = trainer(shards, steps=4, frozen=0.5), trainer(shards, steps=40, frozen=0.5)
    for _ in range(3):
        first.step()
    second.load(first.state())
    before = copy.deepcopy(second.state()["backbone"])
    second.step()
    after = second.state()["backbone"]
    assert any(not torch.equal(before[name], after[name]) for name in before if name.endswith("weight"))
    third = trainer(shards, steps=80, frozen=0.5)
    third.load(second.state())
    assert third.state()["backbone"]


def test_widths_of_layers_are_above_nothing():
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        Config(labels="utkface", hidden=[0])


def test_a_backbone_that_learnt_is_written_too(shards, tmp_path):
    made = trainer(shards, steps=2, frozen=0.0)
    made.step()
    made.finish(tmp_path)
    assert (tmp_path / "backbone.safetensors").exists()
    assert TrainedPredictor.load(tmp_path).name == "utkface"


def test_other_labels_and_other_data_are_refused(shards):
    with pytest.raises(ValueError, match="Bald"):
        trainer(shards, labels="celeba")
    made = trainer(shards)
    with pytest.raises(ValueError, match="7 labelled faces, not 200"):
        made.load({**made.state(), "faces": 7})
    with pytest.raises(TrainingError, match="without torchrun"):
        make_trainer(Config(labels="utkface"), shards, torch.device("cpu"), Processes(size=2))
