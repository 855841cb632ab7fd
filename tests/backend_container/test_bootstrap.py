import io
import json

import pytest

from backend_container.bootstrap import backend_bootstrap
from ligan.ids import new_id

SECRET = "not-to-be-seen"


def text(**changes):
    whole = {
        "role": "backend",
        "nonce": new_id(),
        "instance_id": "s-1",
        "token": SECRET,
        "daemon_url": "http://127.0.0.1:1",
        "orphan_lease_s": 30,
        "protocol": 1,
    }
    return json.dumps({**whole, **changes})


def read(document):
    return backend_bootstrap(io.StringIO(document))


def test_a_backends_document_is_taken():
    bootstrap = read(text(engine="stylegan2", device="cpu"))
    assert (bootstrap.engine, bootstrap.device, bootstrap.token.get_secret_value()) == ("stylegan2", "cpu", SECRET)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "No bootstrap document on standard input"),
        ("hello", "not valid: body"),
        (text(orphan_lease_s="soon"), "not valid: orphan_lease_s"),
        (text(device="tpu"), "not valid: device"),
        (text(stranger=SECRET), "not valid: stranger"),
        (text(role="frontend"), "document is for a frontend"),
    ],
)
def test_any_other_is_refused_in_words_without_the_token(document, message):
    with pytest.raises(SystemExit, match=message) as caught:
        read(document)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None  # a traceback would print pydantic's own words, with the document
