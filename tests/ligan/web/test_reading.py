"""A body is read as Flask reads it, only sooner."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ligan.web import reading

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_NEARLY = '{}[]",:0123456789.eE+-truefalsnNIiy\\ud '


def flasks(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


@given(_VALUES, st.booleans())
def test_json_is_read_as_by_flask(value: object, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert repr(reading._json(body)) == repr(flasks(body))


@given(st.text(_NEARLY).map(str.encode))
def test_what_is_nearly_json_too(body: bytes) -> None:
    assert repr(reading._json(body)) == repr(flasks(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"1e400",
        b"NaN",
        b"-Infinity",
        b"-0",
        b"01",
        b"1" * 5000,
        b"1_0",
        b'{"a":1,"a":2}',
        b'"\\ud800"',
        b'"\xed\xa0\x80"',
        b'"\t"',
        b"\xef\xbb\xbf1",
        '"é"'.encode("utf-16"),
        b"[" * 300 + b"]" * 300,
        b"1\0",
    ],
)
def test_what_parsers_differ_about(body: bytes) -> None:
    assert repr(reading._json(body)) == repr(flasks(body))
