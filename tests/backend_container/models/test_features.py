import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backend_container.models.engine import ModelError
from backend_container.models.features.inception import UNUSED
from backend_container.models.features.inception_network import BLOCKS, Block, InceptionV3
from backend_container.models.features.network import load_features
from backend_container.models.features.perceptual import lpips


@pytest.fixture(scope="module")
def lite0():
    try:
        return load_features("lite0")
    except ModelError as error:
        pytest.skip(error.detail)


def noise(n, side=48, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def test_features_of_a_photo_are_its_own(lite0):
    photos = noise(3)
    features = lite0.features(photos)
    assert (features.shape, features.dtype) == ((3, lite0.dimension), np.float32)
    assert np.array_equal(features[1], lite0.features(photos[1:2])[0])
    assert not np.array_equal(features[0], features[1])
    assert lite0.features(photos[:0]).shape == (0, lite0.dimension)


def test_equal_images_have_no_distance_and_more_noise_means_more(lite0):
    clean = torch.zeros(3, 3, 48, 48)
    torch.manual_seed(0)
    noisy = clean + torch.tensor([0.0, 0.1, 0.5]).view(3, 1, 1, 1) * torch.randn(3, 3, 48, 48)
    distances = lite0.perceptual(clean, noisy)
    assert distances.shape == (3,)
    assert distances[0] == 0
    assert 0 < distances[1] < distances[2]


def test_gradients_reach_both_images_and_no_weight(lite0):
    torch.manual_seed(0)
    a, b = (torch.randn(2, 3, 48, 48, requires_grad=True) for _ in range(2))
    lite0.perceptual(a, b).sum().backward()
    for image in (a, b):
        assert image.grad is not None
        assert image.grad.abs().sum(dim=(1, 2, 3)).min() > 0
    assert not any(parameter.requires_grad for parameter in lite0._network.parameters())


def test_the_distance_is_the_papers_equation():
    torch.manual_seed(0)
    one, other = [torch.randn(2, 5, 4, 4), torch.randn(2, 7, 2, 2)], [torch.randn(2, 5, 4, 4), torch.randn(2, 7, 2, 2)]
    expected = torch.zeros(2)
    for a, b in zip(one, other, strict=True):
        for n in range(2):
            for y in range(a.shape[2]):
                for x in range(a.shape[3]):
                    u, v = a[n, :, y, x], b[n, :, y, x]
                    expected[n] += (u / u.norm() - v / v.norm()).square().sum() / (a.shape[2] * a.shape[3]) / 2
    torch.testing.assert_close(lpips(one, other), expected)


def test_a_wrong_name_lists_the_right_ones():
    with pytest.raises(ModelError, match="no feature network 'vgg'; choose one of: inception, lite0") as caught:
        load_features("vgg")
    assert caught.value.slug == "engine-unknown"


@pytest.fixture(scope="module")
def published():
    """Random tensors of the published file's names and shapes: views of a few numbers, so that files are small."""
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in InceptionV3().state_dict().items()} | UNUSED
    numbers = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    return {name: tensor_of(name, shape, numbers) for name, shape in shapes.items()}


def tensor_of(name, shape, numbers):
    """As it would be at the start of a training."""
    if "bn" in name:
        return torch.full((), float(name.endswith(("weight", "running_var")))).expand(shape)
    row = torch.Size(shape[1:]).numel()
    scaled = numbers[: row + 31 * (shape[0] - 1)] * (2 / row) ** 0.5
    windows = scaled.unfold(0, row, 31)
    return windows.unflatten(1, shape[1:]) if len(shape) > 1 else numbers[: shape[0]]


@pytest.fixture(scope="module")
def file(published, tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "inception.pth"
    counted = {name.replace("running_var", "num_batches_tracked"): torch.tensor(7) for name in published}
    counters = {name: tensor for name, tensor in counted.items() if name.endswith("num_batches_tracked")}
    torch.save(published | counters, path)
    return path


def test_inception_has_the_papers_sizes(published):
    trained = [tensor for name, tensor in published.items() if "running" not in name and name not in UNUSED]
    assert sum(tensor.numel() for tensor in trained) == 21_785_568
    assert published["Mixed_7c.branch3x3dbl_3b.conv.weight"].shape == (384, 384, 3, 1)


def test_inception_gives_2048_features_of_each_photo_alone(file):
    network = load_features("inception", file)
    features = network.features(noise(2))
    assert (features.shape, features.dtype) == ((2, 2048), np.float32)
    assert features.std() > 0.01
    assert np.abs(features[0] - features[1]).max() > 1e-3
    assert network.features(noise(0)).shape == (0, 2048)


def test_inception_reads_safetensors_and_measures_distances(published, tmp_path):
    path = tmp_path / "inception.safetensors"
    save_file({name: tensor.half().contiguous() for name, tensor in published.items()}, path)
    network = load_features("inception", path)
    path.unlink()
    image = torch.randn(1, 3, 32, 32, requires_grad=True)
    distance = network.perceptual(image, torch.ones(1, 3, 32, 32))
    distance.sum().backward()
    assert distance.shape == (1,)
    assert distance > 0
    assert image.grad.abs().sum() > 0


def test_its_average_leaves_out_the_padding_and_its_last_block_takes_the_maximum():
    torch.manual_seed(0)
    spike = torch.zeros(1, 8, 7, 7)
    spike[..., 3, 3] = 1.0
    level, peak = (pooled("Mixed_7b", torch.ones(1, 8, 7, 7)), pooled("Mixed_7c", spike))
    torch.testing.assert_close(level, level[..., 3:4, 3:4].expand_as(level))
    assert level.max() > 0
    torch.testing.assert_close(peak[..., 2:5, 2:5], peak[..., 3:4, 3:4].expand(-1, -1, 3, 3))
    assert peak[..., 3, 3].max() > 0
    assert peak[..., 5, 3].max() == 0


def pooled(name, x):
    """What comes of the pool's branch alone."""
    return Block(x.shape[1], BLOCKS[name]).eval()(x)[:, -192:].detach()


def test_without_its_file_inception_says_where_it_comes_from():
    with pytest.raises(ModelError, match=r"github\.com/mseitzer/pytorch-fid.*--feature-weights FILE") as caught:
        load_features("inception")
    assert caught.value.slug == "weights-missing"


def write(path, content):
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    return path


@pytest.mark.parametrize(
    ("change", "slug", "words"),
    [
        (lambda tensors: {**tensors, "fc.weight": torch.zeros(1000, 2048)}, "weights-mismatch", "1 tensors differ"),
        (lambda tensors: {n: t for n, t in tensors.items() if "Mixed_7c" not in n}, "weights-mismatch", "absent"),
        (lambda tensors: {**tensors, "AuxLogits.fc.bias": torch.zeros(5)}, "weights-mismatch", "in place of none"),
        (lambda tensors: {**tensors, "fc.bias": torch.full((1008,), torch.nan)}, "weights-damaged", "not finite"),
        (lambda tensors: [1, 2], "weights-mismatch", "something else than named tensors"),
        (lambda tensors: {**tensors, "fc.bias": "text"}, "weights-mismatch", "something else than named tensors"),
        (lambda tensors: b"<html>", "weights-mismatch", "does not read as tensors alone"),
        (lambda tensors: b"", "weights-mismatch", "does not read as tensors alone"),
    ],
)
def test_a_file_of_something_else_is_refused(published, tmp_path, change, slug, words):
    path = write(tmp_path / "other.pth", change(published))
    with pytest.raises(ModelError, match=words) as caught:
        load_features("inception", path)
    assert caught.value.slug == slug
    assert "other.pth" in caught.value.detail


def test_a_file_that_runs_code_is_refused_and_does_not_run(tmp_path):
    class Touch:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = write(tmp_path / "evil.pth", {"fc.bias": Touch()})
    with pytest.raises(ModelError, match="tensors alone"):
        load_features("inception", path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["absent.pth", "absent.safetensors", "folder"])
def test_a_file_that_is_not_there_is_told(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelError, match="cannot be read from") as caught:
        load_features("inception", tmp_path / name)
    assert caught.value.slug == "weights-missing"


def test_a_wrong_file_of_lite0_is_refused(lite0, file):
    with pytest.raises(ModelError, match="is not the weights of efficientnet-lite0") as caught:
        load_features("lite0", file)
    assert caught.value.slug == "weights-mismatch"
