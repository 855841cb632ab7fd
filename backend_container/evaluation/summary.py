"""The figures as words: a label, a value and what is better, for a terminal and for the page. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backend_container.evaluation.report import Likeness, RandomFaces, Reconstruction, Report


@dataclass(frozen=True)
class Line:
    """One figure."""

    label: str
    value: str
    better: str = ""


def summary(report: Report) -> str:
    """The report as lines of text."""
    found = list(lines(report))
    width = max(len(line.label) for line in found)
    text = [f"{line.label:<{width}}  {line.value:>16}  {line.better}".rstrip() for line in found]
    groups = [f"{group.label} {group.value}: {reconstructed(group.reconstruction)}" for group in report.groups]
    absent = [f"not there: {absent.what}. {absent.reason}" for absent in report.absent]
    left = [f"{len(report.left_out)} photos could not be used; report.json names them"] if report.left_out else []
    return "\n".join([*text, *groups, *left, *absent])


def lines(report: Report) -> Iterator[Line]:
    """All figures of the whole."""
    yield from random_lines(report.random)
    yield from likeness_lines(report.likeness) if report.likeness else ()
    yield from reconstruction_lines(report.reconstruction) if report.reconstruction else ()


def random_lines(found: RandomFaces) -> Iterator[Line]:
    """Of random faces."""
    yield Line("random faces", str(found.count))
    yield Line("the detector finds a face", percent(found.accepted), "more is better")
    yield Line("identity distance of two", number(found.identity_mean), "more is more varied")
    yield Line("identity distance to the most alike", number(found.identity_nearest), "more is more varied")
    yield Line("pairs that look like one person", percent(found.too_alike), "less is better")


def likeness_lines(found: Likeness) -> Iterator[Line]:
    """Of both populations."""
    error = f" ± {found.kid_error:.4f}" if found.kid_error is not None else ""
    yield Line("FID", f"{found.fid:.2f}", "less is better")
    yield Line("KID", f"{found.kid:.4f}{error}", "less is better")
    yield Line("precision", number(found.precision), "more is better")
    yield Line("recall", number(found.recall), "more is better")


def reconstruction_lines(found: Reconstruction) -> Iterator[Line]:
    """Of photos encoded and rendered again."""
    yield Line("photos reconstructed", str(found.count))
    yield Line("MSE", f"{found.mse:.5f}", "less is better")
    yield Line("PSNR", f"{found.psnr:.2f} dB", "more is better")
    yield Line("perceptual distance", number(found.perceptual), "less is better")
    yield Line("identity distance", number(found.identity), "less is better")
    yield Line("taken for the same person", percent(found.same_person), "more is better")
    yield Line("rank-1", percent(found.rank_one), "more is better")


def reconstructed(found: Reconstruction | None) -> str:
    """A group's figures in a line."""
    if found is None:
        return "nobody"
    words = [f"{line.label} {line.value}" for line in reconstruction_lines(found) if line.label != "PSNR"]
    return ", ".join(words)


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
