import sys

import numpy as np
import pytest

from backend_container.tasks import REGISTRY
from backend_container.tasks.registry import Registry
from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.image import ImageRef, Origin
from tests.backend_container.builders import fake_models, make_context, order

IMAGE = ImageRef(image_id=new_id("i"), sha256="0" * 64, origin=Origin.UPLOAD)
TINT = """
from pydantic import Field
from backend_container.tasks.params import TaskParams
from backend_container.tasks.registry import task

class Params(TaskParams):
    red: float = Field(0.5, title="Red", ge=0, le=1)

@task(Params, title="Tint", time_request_s=2)
def tint(context, params):
    '''The average face, redder.'''
    latent = context.engine.mean + [params.red, 0, 0]
    return context.render(latent[None].astype("float32"), ["tinted"])
"""


def schema(kind):
    return {one.kind: one for one in REGISTRY.kinds().kinds}[kind].params


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An importable package with the given modules; its name is new, so that no module is found in the cache."""

    def make(**modules):
        name = f"tasks_{new_id()}"
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        for module, text in modules.items():
            (folder / f"{module}.py").write_text(text)
        return name

    monkeypatch.syspath_prepend(tmp_path)
    yield make
    for name in [name for name in sys.modules if name.startswith("tasks_")]:
        del sys.modules[name]


def test_kinds_are_offered_in_order_and_two_are_for_developers():
    kinds = REGISTRY.kinds().kinds
    assert [(one.kind, one.hidden) for one in kinds] == [
        ("similar", False),
        ("interpolate", False),
        ("refine", False),
        ("random", False),
        ("noop", True),
        ("count", True),
    ]
    assert all(one.title and one.description for one in kinds)


def test_a_schema_says_all_that_a_form_needs():
    similar = schema("similar")
    assert similar["additionalProperties"] is False
    assert similar["required"] == ["image"]
    image = similar["properties"]["image"]
    assert (image["type"], image["format"], image["pattern"]) == ("string", "image-id", "^i-[0-9a-z]{22}$")
    ranges = {
        name: (field["type"], field["default"], field["minimum"], field["maximum"])
        for name, field in similar["properties"].items()
        if name != "image"
    }
    assert ranges == {
        "page": ("integer", 1, 1, 1000),
        "count": ("integer", 16, 1, 64),
        "seed": ("integer", 0, 0, 2**32 - 1),
    }


@pytest.mark.parametrize("kind", [one.kind for one in REGISTRY.kinds().kinds])
def test_every_parameter_has_a_title_of_its_own_and_a_description(kind):
    for name, field in schema(kind)["properties"].items():
        assert field["title"], name
        assert field["description"], name


def test_interpolation_takes_two_images_and_at_least_both_ends():
    properties = schema("interpolate")["properties"]
    assert [properties[name]["format"] for name in ("image_a", "image_b")] == ["image-id", "image-id"]
    assert (properties["count"]["minimum"], properties["count"]["maximum"]) == (2, 64)


def test_a_task_is_one_file_and_one_line(package):
    registry = Registry.from_modules(package(tint=TINT), "tint")
    (kind,) = registry.kinds().kinds
    assert (kind.kind, kind.title, kind.description) == ("tint", "Tint", "The average face, redder.")
    assert kind.params["properties"]["red"]["maximum"] == 1
    with pytest.raises(Problem, match=r"red: .*less than or equal to 1"):
        registry.work(order("tint", red=2.0))
    models = fake_models()
    (image,) = registry.work(order("tint", red=1.0)).run(make_context(models, [], None))
    assert image.caption == "tinted"
    middle = models.engine.resolution // 2
    assert np.array_equal(image.image[middle, middle], [160, 128, 128])


def test_a_task_says_when_it_needs_a_gpu(package):
    text = TINT.replace("time_request_s=2", "time_request_s=2, cpu=False")
    (kind,) = Registry.from_modules(package(tint=text), "tint").kinds().kinds
    assert not kind.cpu
    assert all(one.cpu for one in REGISTRY.kinds().kinds)


def test_a_file_without_its_task_is_told_what_is_missing(package):
    with pytest.raises(TypeError, match=r"needs a function idle\(context, params\) under the decorator @task"):
        Registry.from_modules(package(idle="def idle(context, params): return []"), "idle")


@pytest.mark.parametrize(
    ("kind", "params", "where"),
    [
        ("similar", {}, "image"),
        ("similar", {"image": "i-short"}, "image"),
        ("similar", {"image": None}, "image"),
        ("similar", {"image": IMAGE.image_id, "page": 0}, "page"),
        ("similar", {"image": IMAGE.image_id, "page": 1001}, "page"),
        ("similar", {"image": IMAGE.image_id, "count": "16"}, "count"),
        ("similar", {"image": IMAGE.image_id, "count": True}, "count"),
        ("similar", {"image": IMAGE.image_id, "count": 16.5}, "count"),
        ("similar", {"image": IMAGE.image_id, "count": None}, "count"),
        ("similar", {"image": IMAGE.image_id, "count": 0}, "count"),
        ("similar", {"image": IMAGE.image_id, "count": 65}, "count"),
        ("similar", {"image": IMAGE.image_id, "seed": -1}, "seed"),
        ("similar", {"image": IMAGE.image_id, "seed": 2**32}, "seed"),
        ("similar", {"image": IMAGE.image_id, "colour": "red"}, "colour"),
        ("interpolate", {"image_a": IMAGE.image_id}, "image_b"),
        ("interpolate", {"image_a": IMAGE.image_id, "image_b": IMAGE.image_id, "count": 1}, "count"),
        ("random", {"image": IMAGE.image_id}, "image"),
        ("noop", {"seconds": "1"}, "seconds"),
        ("count", {"steps": 0}, "steps"),
        ("count", {"steps": 100_001}, "steps"),
    ],
)
def test_bad_parameters_are_refused_by_name(kind, params, where):
    with pytest.raises(Problem) as caught:
        REGISTRY.work(order(kind, [IMAGE], **params))
    assert caught.value.slug == "invalid-parameters"
    assert [error["where"] for error in caught.value.document.model_extra["errors"]] == [where]


def test_the_largest_values_are_taken():
    work = REGISTRY.work(order("similar", [IMAGE], image=IMAGE.image_id, page=1000, count=64, seed=2**32 - 1))
    assert work.params.settings() == {"page": 1000, "count": 64, "seed": 2**32 - 1}
    assert work.params.images() == [IMAGE.image_id]


def test_an_unknown_kind_is_answered_with_all_valid_ones():
    with pytest.raises(Problem, match="similar, interpolate, refine, random, noop, count") as caught:
        REGISTRY.work(order("paint"))
    assert caught.value.slug == "unknown-task-kind"


def test_an_image_that_the_order_does_not_bring_is_missed_before_the_task_runs():
    stranger = new_id("i")
    with pytest.raises(Problem, match=stranger) as caught:
        REGISTRY.work(order("similar", [IMAGE], image=stranger))
    assert caught.value.slug == "unknown-image"
