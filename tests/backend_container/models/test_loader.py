import subprocess
import sys

import pytest

from backend_container.models import loader
from backend_container.models.engine import ModelError
from backend_container.models.loader import ENGINES, load_engine


def test_a_wrong_name_lists_the_right_ones():
    with pytest.raises(ModelError, match="no engine 'stylegan'; choose one of: appearance, stylegan2") as caught:
        load_engine("stylegan")
    assert caught.value.slug == "engine-unknown"


def test_weights_of_a_directory(stylegan2_directory):
    assert load_engine("stylegan2", stylegan2_directory, "cpu").name == "stylegan2"


def test_the_default_directory_bears_the_engines_name(tmp_path, monkeypatch, stylegan2_directory):
    assert loader.WEIGHTS.parts[-2:] == ("backend_container", "weights")
    monkeypatch.setattr(loader, "WEIGHTS", tmp_path)
    (tmp_path / "stylegan2").symlink_to(stylegan2_directory)
    assert load_engine("stylegan2").name == "stylegan2"


def test_no_weights_says_where_they_belong(tmp_path, monkeypatch):
    monkeypatch.setattr(loader, "WEIGHTS", tmp_path)
    with pytest.raises(ModelError, match=r"stylegan2/config\.json is not there") as caught:
        load_engine("stylegan2")
    assert caught.value.slug == "weights-missing"


def test_naming_the_engines_imports_none_of_them():
    modules = [module for module, _ in ENGINES.values()]
    code = f"import sys, backend_container.models.loader; print([m for m in {['torch', *modules]} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
