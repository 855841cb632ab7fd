import json

import numpy as np
import pytest

from backend_container.loading import fingerprint
from backend_container.models.loader import WEIGHTS
from backend_container.models.page_growth import FILE, PageTable, equal_steps, isotonic, read_table

MEASURED = {"distances": (0.6, 0.7), "rises": (0.9,), "double_below": 0.4, "doubles": (0.1, 0.0)}
TABLE = PageTable(weights="abc", identity="x", suspects=20, radii=(0.1, 0.4), **MEASURED)


def test_pages_lie_where_distances_rise_in_equal_steps():
    radii = np.linspace(0, 2, 201)
    curve = 0.4 + 0.4 * (1 - np.exp(-2 * radii))
    found = np.array(equal_steps(radii, curve, least=0.5, pages=5))
    steps = np.diff(np.interp(found, radii, curve))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-2)
    assert np.interp(found[0], radii, curve) == pytest.approx(0.5, abs=1e-3)
    assert found[-1] < 2


def test_a_curve_that_never_gets_far_begins_half_way_up():
    (first, *_) = equal_steps(np.array([0, 1, 2]), np.array([0.1, 0.2, 0.3]), least=0.6)
    assert first == pytest.approx(0.9, abs=0.01)


def test_noise_in_a_curve_does_not_turn_pages_round():
    found = equal_steps(np.arange(6), np.array([0.3, 0.5, 0.45, 0.6, 0.59, 0.7]), least=0.2)
    assert list(found) == sorted(found)


def test_the_nearest_row_that_never_falls():
    from sklearn.isotonic import IsotonicRegression

    values = np.random.default_rng(0).standard_normal(40).cumsum()
    np.testing.assert_allclose(isotonic(values), IsotonicRegression().fit_transform(np.arange(40), values))


def test_a_flat_curve_is_refused():
    with pytest.raises(ValueError, match="do not rise"):
        equal_steps(np.arange(3), np.array([0.5, 0.5, 0.4]), least=0.2)


def test_a_table_counts_for_the_weights_that_it_was_measured_with(tmp_path, caplog):
    assert read_table(tmp_path, "abc") is None
    (tmp_path / FILE).write_text(TABLE.model_dump_json())
    assert read_table(tmp_path, "abc").growth.measured == (0.1, 0.4)
    assert caplog.text == ""
    assert read_table(tmp_path, "abd") is None
    assert "other weights" in caplog.text


@pytest.mark.parametrize(
    "change", [{"radii": []}, {"radii": [2, 1]}, {"format": "x"}, {"more": 1}, {"double_below": 0}]
)
def test_a_damaged_table_is_passed_over(change, tmp_path, caplog):
    (tmp_path / FILE).write_text(json.dumps(json.loads(TABLE.model_dump_json()) | change))
    assert read_table(tmp_path, "abc") is None
    assert "passed over" in caplog.text


def test_pages_of_the_packaged_weights_were_measured_with_them_and_rise():
    table = read_table(WEIGHTS / "appearance", fingerprint(WEIGHTS / "appearance"))
    assert table is not None
    assert list(table.distances) == sorted(table.distances)
    assert table.double_below < table.distances[0]
