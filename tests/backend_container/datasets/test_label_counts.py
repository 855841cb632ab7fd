"""Histograms of labels."""

import pytest

from backend_container.datasets.label_counts import histogram, keys


def rows(*values):
    return [{"x": value} for value in values]


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        (["b", "a", "b"], [("b", 2), ("a", 1)]),
        ([True, False, True], [("yes", 2), ("no", 1)]),
        ([10, 9, "9", 9.0], [("9", 3), ("10", 1)]),
        ([1, "old"], [("1", 1), ("old", 1)]),
        ([None], []),
        (["nan", "1"], [("nan", 1), ("1", 1)]),
        ([[1, 2], [1, 2]], [("[1, 2]", 2)]),
    ],
)
def test_values_are_counted(values, counts):
    assert histogram(rows(*values), "x") == counts


def test_many_numbers_are_counted_in_bins_of_a_round_width():
    counts = histogram(rows(*range(100), 5, 95), "x")
    assert counts[0] == ("0 to 10", 11)
    assert counts[-1] == ("90 to 100", 11)
    assert len(counts) == 10


@pytest.mark.parametrize("scale", [1e-3, 0.37, 1, 12345.6])
def test_no_number_is_lost_and_bins_are_few(scale):
    counts = histogram(rows(*(scale * (index - 30) for index in range(77))), "x")
    assert sum(count for _, count in counts) == 77
    assert len(counts) <= 14


def test_faces_without_the_label_are_not_counted():
    labels = [{"x": 1}, {}, {"y": 2}]
    assert histogram(labels, "x") == [("1", 1)]
    assert keys(labels) == ["x", "y"]
