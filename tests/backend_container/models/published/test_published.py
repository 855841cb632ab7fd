"""Published weights: the same images as by their authors' equations, and nothing executed on the way."""

import argparse
import io
import os
import pickle
import subprocess

import numpy as np
import pytest
import torch

from backend_container.models.engine import ModelError
from backend_container.models.stylegan2.published.inert_pickle import Global, Object, PickleRefusedError, read_pickle
from backend_container.models.stylegan2.published.pickled_arrays import array_of
from backend_container.models.stylegan2.published.reading import read_published
from tests.backend_container.models.published.published_files import (
    CHANNELS,
    LATENT,
    Persistent,
    image,
    mapped,
    nvidia_pickle,
    random_tensors,
    rosinality_file,
    rosinality_state,
    with_their_modules,
)


def test_images_are_those_of_the_published_equations(published):
    path, tensors = published
    config, generator = read_published(path)
    assert (config.resolution, config.latent, config.mapping_layers) == (64, LATENT, 2)
    assert {r: config.channels(r) for r in CHANNELS} == CHANNELS
    z = torch.randn(3, LATENT)
    with torch.no_grad():
        w = generator.mapping(z)
        images = generator.synthesis(generator.broadcast(w))
    torch.testing.assert_close(w, mapped(tensors, z), atol=1e-4, rtol=1e-4)
    expected = torch.stack([image(tensors, row) for row in mapped(tensors, z)])
    scale = float(expected.std())
    torch.testing.assert_close(images / scale, expected / scale, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(generator.mapping.average, tensors["mapping.w_avg"])


def test_each_layer_takes_the_w_of_its_place(published):
    path, tensors = published
    _, generator = read_published(path)
    # With equal w for all layers a mistake in their order would not show; the coarsest and the finest differ here.
    coarse, fine = torch.randn(2, LATENT)
    rows = torch.stack([coarse] * 3 + [fine] * (generator.synthesis.latent_shape[0] - 3))
    with torch.no_grad():
        mixed = generator.synthesis(rows[None])[0]
        assert not torch.allclose(mixed, image(tensors, coarse), atol=0.1)
        assert not torch.allclose(mixed, image(tensors, fine), atol=0.1)


def test_a_mean_that_the_file_lacks_is_that_of_random_w(tmp_path):
    tensors = random_tensors()
    _, generator = read_published(rosinality_file(tmp_path / "checkpoint.pt", tensors, average=False))
    expected = mapped(tensors, torch.randn(50_000, LATENT)).mean(0)
    np.testing.assert_allclose(generator.mapping.average, expected, atol=0.1)
    assert expected.abs().max() > 0.3


# What cannot be used


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"c_dim": 10}, "wants a class"),
        ({"z_dim": 7}, "z has 7 numbers and w 10"),
        ({"img_channels": 1}, "not RGB"),
    ],
)
def test_another_kind_of_network_is_refused(tmp_path, monkeypatch, attributes, reason):
    path = nvidia_pickle(tmp_path / "network.pkl", random_tensors(), monkeypatch, **attributes)
    with pytest.raises(ModelError, match=reason) as caught:
        read_published(path)
    assert caught.value.slug == "weights-mismatch"


def changed(**tensors):
    return random_tensors() | {name.replace("_dot_", "."): tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        (changed(synthesis_dot_b8_dot_resample_filter=torch.ones(4, 4)), "another filter"),
        (changed(synthesis_dot_b8_dot_skip_dot_weight=torch.ones(4, 4)), "residual"),
        (changed(synthesis_dot_b8_dot_conv1_dot_extra=torch.ones(4)), r"a tensor synthesis\.b8\.conv1\.extra"),
        (changed(synthesis_dot_b8_dot_conv1_dot_weight=torch.ones(4)), "1 tensors do not fit"),
        (changed(synthesis_dot_b4_dot_const=torch.full((6, 4, 4), torch.inf)), "not finite"),
        (changed(synthesis_dot_b16_dot_conv1_dot_bias=torch.ones(9)), "do not follow StyleGAN2's rule"),
        ({k: v for k, v in random_tensors().items() if "b64" not in k}, "must be one of"),
        ({k: v for k, v in random_tensors().items() if "mapping" not in k}, "no generator of the StyleGAN2 family"),
    ],
)
def test_tensors_that_are_no_such_generator_are_refused(tmp_path, monkeypatch, tensors, reason):
    path = nvidia_pickle(tmp_path / "network.pkl", tensors, monkeypatch)
    with pytest.raises(ModelError, match=reason):
        read_published(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ModelError, match="no generator `G_ema`"):
        read_published(path)
    path.write_bytes(pickle.dumps((1, 2, 3)))
    with pytest.raises(ModelError, match="TensorFlow"):
        read_published(path)
    path.write_bytes(b"GIF89a")
    with pytest.raises(ModelError, match="no whole pickle"):
        read_published(path)
    torch.save({"state": 1}, path)
    with pytest.raises(ModelError, match="no generator `g_ema`"):
        read_published(path)
    with pytest.raises(ModelError, match=r"nowhere cannot be read") as caught:
        read_published(tmp_path / "nowhere")
    assert caught.value.slug == "weights-missing"


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"style.1.weight": None}, "no mapping network"),
        ({"style.1.weight": torch.ones(3)}, "is of the shape|do not fit|family"),
        ({"conv1.noise.weight": torch.ones(2)}, r"conv1\.noise\.weight is of the shape \(2,\)"),
        ({"noises.noise_123456789": torch.ones(1, 1, 4, 4)}, "which rosinality's generator has not"),
    ],
)
def test_what_is_nearly_rosinalitys_is_refused(tmp_path, tensors, reason):
    state = {k: v for k, v in (rosinality_state(random_tensors()) | tensors).items() if v is not None}
    torch.save({"g_ema": state}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match=reason):
        read_published(tmp_path / "x.pt")


def test_a_checkpoint_of_rosinalitys_own_training_is_read(tmp_path):
    stored = {"g_ema": rosinality_state(random_tensors()), "args": argparse.Namespace(size=64), "ada_aug_p": 0.1}
    torch.save(stored, tmp_path / "010000.pt")
    assert read_published(tmp_path / "010000.pt")[0].resolution == 64


def test_every_cut_is_refused(tmp_path, monkeypatch):
    whole = nvidia_pickle(tmp_path / "network.pkl", random_tensors(), monkeypatch).read_bytes()
    cut = tmp_path / "cut.pkl"
    for length in range(0, len(whole) - 1, len(whole) // 20):
        cut.write_bytes(whole[:length])
        with pytest.raises(ModelError):
            read_published(cut)


# Hostile files


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def alarm(tmp_path):
    """A file that every attack would make."""
    return tmp_path / "executed"


def attacks(path):
    shell = f"touch {path}"
    code = f"open({str(path)!r}, 'w')"
    yield "os.system", pickle.dumps(Call(os.system, shell))
    yield "eval", pickle.dumps(Call(eval, code))
    yield "exec, protocol 0", pickle.dumps(Call(exec, code), protocol=0)
    yield "open", pickle.dumps(Call(open, str(path), "w"))
    yield "Popen", pickle.dumps(Call(subprocess.Popen, ["touch", str(path)]))
    yield "getattr", b"c__builtin__\ngetattr\n(cos\nsystem\ntR."
    yield "inst", b"(S'%s'\nios\nsystem\n." % shell.encode()
    yield "obj", b"(cos\nsystem\nS'%s'\no." % shell.encode()
    yield "stack global", b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c" + bytes([len(shell)]) + shell.encode() + b"\x85R."
    yield "extension", b"\x80\x02\x82\x01."
    yield "torch.load", b"ctorch\nload\n(S'x'\ntR."
    yield "torch.hub", b"ctorch.hub\nload\n(S'x'\ntR."
    yield "numpy", b"cnumpy.testing._private.utils\nrunstring\n(S'x'\ntR."


@pytest.mark.parametrize("number", range(13))
def test_attacks_are_refused_and_run_nothing(alarm, tmp_path, number):
    _, data = list(attacks(alarm))[number]
    path = tmp_path / "hostile.pkl"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"Do not trust this file|which no published network needs") as caught:
        read_published(path)
    assert caught.value.slug == "weights-mismatch"
    assert not alarm.exists()


def test_an_attack_inside_a_network_is_refused(alarm, tmp_path, monkeypatch):
    with_their_modules(monkeypatch)
    state = {"_parameters": {}, "_modules": {}, "_buffers": {"w_avg": Call(os.system, f"touch {alarm}")}}
    path = tmp_path / "network.pkl"
    path.write_bytes(pickle.dumps({"G_ema": Persistent("Generator", state)}))
    with pytest.raises(ModelError, match=r"names posix\.system"):
        read_published(path)
    assert not alarm.exists()


def test_an_attack_in_the_bytes_of_a_tensor_is_refused(alarm):
    inner = pickle.dumps(Call(os.system, f"touch {alarm}"))
    storage = Object(Global("torch.storage", "_load_from_bytes"), (inner,))
    tensor = Object(Global("torch._utils", "_rebuild_tensor_v2"), (storage, 0, (1,), (1,), False, None))
    with pytest.raises(PickleRefusedError, match="posix"):
        array_of(tensor)
    assert not alarm.exists()


def test_an_attack_by_torch_save_is_refused(alarm, tmp_path):
    path = tmp_path / "hostile.pt"
    for older in (False, True):
        torch.save({"g_ema": Call(os.system, f"touch {alarm}")}, path, _use_new_zipfile_serialization=not older)
        with pytest.raises(ModelError, match=r"cannot be imported.* names posix\.system") as caught:
            read_published(path)
        assert "weights_only" not in caught.value.detail, "no advice to execute it"
        assert not alarm.exists()


def test_source_text_is_passed_over(tmp_path, monkeypatch):
    # Each module of the file carries text that would end this process, and their loader's function raises.
    read_published(nvidia_pickle(tmp_path / "network.pkl", random_tensors(), monkeypatch))


def test_a_module_within_itself_is_refused(tmp_path):
    meta = b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n"
    made = meta + b"(}S'state'\n}p1\nstRp2\n"  # reconstruct({"state": state}), both of them remembered
    filled = b"g1\nS'_modules'\n}S'a'\ng2\nss0"  # state["_modules"] = {"a": what was reconstructed}
    path = tmp_path / "loop.pkl"
    path.write_bytes(b"}S'G_ema'\n" + made + filled + b"s.")
    with pytest.raises(ModelError, match="deeper than any network's"):
        read_published(path)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
@pytest.mark.parametrize(
    ("shape", "strides", "offset", "reason"),
    [
        ((5,), (1,), 0, "reaches beyond"),
        ((2, 2), (3, 1), 0, "reaches beyond"),
        ((2,), (1,), 3, "reaches beyond"),
        ((1000, 1000), (0, 0), 0, "repeats"),
        ((-1,), (1,), 0, "whole numbers"),
        ((2,), (-1,), 1, "whole numbers"),
    ],
)
def test_a_tensor_stays_within_its_bytes(shape, strides, offset, reason):
    buffer = io.BytesIO()
    torch.save(torch.arange(4.0).storage(), buffer, _use_new_zipfile_serialization=False)
    storage = Object(Global("torch.storage", "_load_from_bytes"), (buffer.getvalue(),))
    tensor = Object(Global("torch._utils", "_rebuild_tensor_v2"), (storage, offset, shape, strides))
    with pytest.raises(PickleRefusedError, match=reason):
        array_of(tensor)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int64, torch.bool])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_tensors_and_arrays_are_what_they_were(dtype, protocol):
    tensor = torch.arange(24).reshape(2, 3, 4).to(dtype).transpose(0, 2)
    read = array_of(read_pickle(io.BytesIO(pickle.dumps(tensor, protocol))))
    assert np.array_equal(read, tensor.numpy())
    if protocol < 5:  # 5 has another form for arrays, which no published file has
        array = np.asfortranarray(tensor.numpy())
        assert np.array_equal(array_of(read_pickle(io.BytesIO(pickle.dumps(array, protocol)))), array)


def test_states_of_both_authors_name_the_same_tensors():
    tensors = random_tensors()
    filters = [name for name in tensors if name.endswith("resample_filter")]
    kernels = [name for name in rosinality_state(tensors) if name.endswith("kernel")]
    assert len(rosinality_state(tensors)) - len(kernels) == len(tensors) - len(filters) - 1, "the mean w is no state"
