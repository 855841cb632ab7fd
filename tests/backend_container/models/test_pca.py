import numpy as np
import pytest
from safetensors.numpy import load, save

from backend_container.models import pca as pca_module
from backend_container.models.pca import LatentPCA
from backend_container.models.sampling import normal

SHAPE = (3, 4)


def latents(count=600):
    """Normal along all 12 axes, with standard deviations of 12, 11, ... 1 and a mean of 5."""
    spread = np.arange(12, 0, -1, dtype=np.float32)
    return (normal(0, count=count, dimension=12) * spread + 5).reshape(count, *SHAPE)


@pytest.fixture(scope="module")
def pca():
    return LatentPCA.fit(latents(), dimension=5)


def test_shapes_and_types(pca):
    assert pca.dimension == 5
    assert {name: tensor.shape for name, tensor in pca.tensors().items()} == {
        "mean": SHAPE,
        "components": (5, *SHAPE),
        "deviations": (5,),
    }
    coordinates = pca.project(latents(7))
    assert coordinates.shape == (7, 5)
    assert pca.lift(coordinates).shape == (7, *SHAPE)
    assert {array.dtype for array in (*pca.tensors().values(), coordinates, pca.lift(coordinates))} == {
        np.dtype(np.float32)
    }


def test_coordinates_are_standard_deviations_of_the_population(pca):
    coordinates = pca.project(latents())
    np.testing.assert_allclose(coordinates.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(coordinates.std(axis=0, ddof=1), 1, rtol=1e-4)
    np.testing.assert_allclose(pca.deviations, [12, 11, 10, 9, 8], rtol=0.1)


def test_lift_inverts_project_inside_the_subspace(pca):
    coordinates = normal(1, count=9, dimension=5)
    np.testing.assert_allclose(pca.project(pca.lift(coordinates)), coordinates, atol=1e-5)


def test_what_the_subspace_leaves_out_is_at_a_right_angle_to_it(pca):
    rest = latents(20) - pca.lift(pca.project(latents(20)))
    assert np.abs(rest).max() > 1
    np.testing.assert_allclose(np.tensordot(rest, pca.components, [[1, 2], [1, 2]]), 0, atol=1e-4)


def test_all_components_lose_nothing():
    whole = LatentPCA.fit(latents(), dimension=12)
    np.testing.assert_allclose(whole.lift(whole.project(latents(9))), latents(9), atol=1e-4)


def test_fits_are_the_same_each_time(pca):
    again = LatentPCA.fit(latents(), dimension=5)
    assert all(np.array_equal(again.tensors()[name], tensor) for name, tensor in pca.tensors().items())


def test_survives_a_safetensors_file_to_the_byte(pca):
    restored = LatentPCA.from_tensors(load(save(pca.tensors())))
    assert np.array_equal(restored.project(latents(4)), pca.project(latents(4)))


def test_too_few_latents_are_refused():
    with pytest.raises(ValueError, match="5 components need more than 5 latents, not 5"):
        LatentPCA.fit(latents(5), dimension=5)


def test_latents_of_too_few_dimensions_are_refused():
    flat = latents()
    flat[:, 1:] = 0
    with pytest.raises(ValueError, match="vary in fewer than 5 dimensions"):
        LatentPCA.fit(flat, dimension=5)


@pytest.mark.parametrize(
    ("name", "tensor", "reason"),
    [
        ("mean", np.zeros((4, 3)), "needs"),
        ("deviations", np.ones(4), "needs"),
        ("deviations", np.zeros(5), "deviations above zero"),
        ("components", np.full((5, *SHAPE), np.nan), "finite"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(pca, name, tensor, reason):
    with pytest.raises(ValueError, match=reason):
        LatentPCA.from_tensors({**pca.tensors(), name: tensor})


def test_a_missing_tensor_is_named(pca):
    tensors = pca.tensors()
    del tensors["components"]
    with pytest.raises(KeyError, match="components"):
        LatentPCA.from_tensors(tensors)


def batched(rows, size):
    return (rows[begin : begin + size] for begin in range(0, len(rows), size))


@pytest.mark.parametrize("size", [1, 7, 512, 2000])
def test_fitting_in_batches_finds_the_same_subspace(size):
    rows = latents(1800)
    whole, streamed = LatentPCA.fit(rows, dimension=5), LatentPCA.fit_batches(batched(rows, size), dimension=5)
    np.testing.assert_allclose(streamed.mean, whole.mean, atol=1e-3)
    np.testing.assert_allclose(streamed.deviations, whole.deviations, rtol=0.02)
    along = np.abs(np.sum(streamed.components * whole.components, axis=(1, 2)))
    assert along.min() > 0.9


def test_batches_are_taken_one_after_the_other():
    """No more than one batch is read ahead of what has been fitted."""
    read = []

    def reading():
        for number in range(8):
            read.append(number)
            yield latents(600)

    taken = pca_module._at_least(reading(), 512)
    next(taken)
    assert read == [0, 1]
    assert sum(len(batch) for batch in taken) == 7 * 600


@pytest.mark.parametrize("count", [0, 5])
def test_too_few_latents_in_batches(count):
    with pytest.raises(ValueError, match="5 components need more than 5 latents"):
        LatentPCA.fit_batches(batched(latents(count), 2), dimension=5)


def test_batches_of_too_few_dimensions():
    flat = latents(600) * np.array([1, 1, 0, 0], np.float32)
    with pytest.raises(ValueError, match="fewer than 8 dimensions"):
        LatentPCA.fit_batches([flat], dimension=8)
