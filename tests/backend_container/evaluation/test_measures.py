"""Distances of sets against closed forms, direct loops and sets whose answer is known."""

import numpy as np
import pytest

from backend_container.evaluation.frechet import frechet_distance
from backend_container.evaluation.kernel_distance import kernel_distance, squared_discrepancy
from backend_container.evaluation.manifold import precision, recall


def normal(n, d, seed=0, mean=0.0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal((n, d)) * scale + mean).astype(np.float32)


def with_moments(mean, covariance, n, seed):
    """A sample whose mean and unbiased covariance are exactly these."""
    d = len(mean)
    raw = np.random.default_rng(seed).standard_normal((n, d))
    raw -= raw.mean(0)
    whitened = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T)).T)
    return whitened @ np.linalg.cholesky(covariance).T + mean


def test_frechet_is_the_closed_form_of_gaussians():
    # Commuting covariances: sum of (mean difference)^2 + (sigma1 - sigma2)^2 along their common axes.
    axes, _ = np.linalg.qr(np.random.default_rng(5).standard_normal((6, 6)))
    first, second = np.array([1, 2, 3, 0.5, 0.1, 4.0]), np.array([2, 2, 1, 0.2, 0.3, 0.7])
    one = with_moments(np.zeros(6), axes @ np.diag(first**2) @ axes.T, 50, seed=1)
    other = with_moments(np.arange(6.0), axes @ np.diag(second**2) @ axes.T, 40, seed=2)
    expected = np.square(np.arange(6)).sum() + np.square(first - second).sum()
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-9)


def test_frechet_of_covariances_that_do_not_commute_is_that_of_the_matrix_square_root():
    scipy_linalg = pytest.importorskip("scipy.linalg")
    one, other = normal(60, 8) @ normal(8, 8, 3), normal(70, 8, 1) @ normal(8, 8, 4) + 1
    a, b = np.cov(one.T.astype(float)), np.cov(other.T.astype(float))
    root = scipy_linalg.sqrtm(a @ b).real
    expected = np.square(one.mean(0) - other.mean(0)).sum() + np.trace(a + b - 2 * root)
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-5)


def test_frechet_of_fewer_photos_than_dimensions():
    # Padding with constant dimensions changes nothing, but makes the covariances singular.
    one, other = normal(12, 5), normal(9, 5, 1, mean=0.5)
    padded = [np.pad(features, ((0, 0), (0, 30))) for features in (one, other)]
    assert frechet_distance(*padded) == pytest.approx(frechet_distance(one, other), rel=1e-6)


def test_frechet_of_a_set_and_itself_is_nothing():
    one = normal(30, 12)
    assert frechet_distance(one, one[::-1]) == pytest.approx(0, abs=1e-5)


def test_the_discrepancy_is_its_definition():
    one, other = normal(7, 4), normal(5, 4, 1, mean=0.3)

    def kernel(x, y):
        return (float(x.astype(float) @ y.astype(float)) / 4 + 1) ** 3

    within_one = [kernel(one[i], one[j]) for i in range(7) for j in range(7) if i != j]
    within_other = [kernel(other[i], other[j]) for i in range(5) for j in range(5) if i != j]
    across = [kernel(x, y) for x in one for y in other]
    expected = np.mean(within_one) + np.mean(within_other) - 2 * np.mean(across)
    assert squared_discrepancy(one, other) == pytest.approx(expected, rel=1e-9)


def test_kernel_distance_is_nothing_on_equal_distributions_and_much_on_others():
    alike = kernel_distance(normal(2000, 16), normal(2000, 16, 1))
    other = kernel_distance(normal(2000, 16), normal(2000, 16, 1, mean=0.5))
    assert alike.error is not None
    assert abs(alike.value) < 4 * alike.error
    assert alike.error < 0.02
    assert other.value > 20 * alike.error


def test_kernel_distance_is_unbiased_by_small_sets():
    # 300 pairs of sets of ten: their mean is nothing within its own standard error. A biased one would lie at 0.4.
    values = [kernel_distance(normal(10, 8, 2 * n), normal(10, 8, 2 * n + 1), block=10).value for n in range(300)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(300)
    assert np.std(values) / np.sqrt(300) < 0.05


def test_a_single_block_has_no_error_and_the_seed_decides():
    one, other = normal(50, 4), normal(60, 4, 1)
    assert kernel_distance(one, other).error is None
    assert kernel_distance(one, other, 10, seed=3) == kernel_distance(one, other, 10, seed=3)
    assert kernel_distance(one, other, 10, seed=3) != kernel_distance(one, other, 10, seed=4)


def test_precision_and_recall_of_half_a_population():
    left, right = normal(200, 4), normal(200, 4, 1, mean=50)
    real, made = np.concatenate([left, right]), normal(200, 4, 2)
    assert precision(real, made) > 0.85
    assert recall(real, made) == pytest.approx(0.5, abs=0.08)
    assert precision(left, right) == recall(left, right) == 0


def test_precision_by_hand():
    real = np.array([[0.0], [1.0], [2.0], [3.0], [10.0]], np.float32)
    # Balls to the third neighbour: 0±3, 1±2, 2±2, 3±3, 10±9
    assert precision(real, np.array([[-3.0], [-3.1], [6.0], [0.5], [19.5]], np.float32)) == pytest.approx(3 / 5)


@pytest.mark.parametrize("measure", [frechet_distance, kernel_distance, precision, recall])
def test_too_few_photos_are_refused(measure):
    with pytest.raises(ValueError, match=r"are needed|needs two"):
        measure(normal(1, 3), normal(1, 3))
