"""Carry a request to another server of ours and its answer back, as a stream in both directions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector, web
from multidict import CIMultiDict
from yarl import URL

from ligan.intervals import MAX_BODY
from ligan.problem import MEDIA_TYPE, Problem, ProblemDocument
from ligan.web.guard import PRIVATE_PREFIX

# RFC 9110, section 7.6.1, and what the client or server library sets itself.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_COOKIES = frozenset({"cookie", "authorization"})
"""Not the frontend's business: it is told the session in a header of ours."""
_TIMEOUT = ClientTimeout(total=None, connect=5, sock_read=120)
_DRAIN_LIMIT = 256 * 1024 * 1024


def connect() -> ClientSession:
    """The client for all tunnelled requests; close it at the end."""
    return ClientSession(
        connector=TCPConnector(limit=0, keepalive_timeout=30),
        auto_decompress=False,
        timeout=_TIMEOUT,
        cookie_jar=None,
        trust_env=False,
    )


async def forward(
    request: web.Request, client: ClientSession, base_url: str, ours: Mapping[str, str]
) -> web.StreamResponse:
    """Send the request to `base_url` with `ours` as further headers, and its answer to the page.

    Raises Problem `file-too-large` for a body over the limit, `unreachable` when the other server does not answer.
    """
    async with await call(request, client, base_url, ours) as answer:
        return await relay(request, answer)


async def call(request: web.Request, client: ClientSession, base_url: str, ours: Mapping[str, str]) -> ClientResponse:
    """The other server's answer, its body not read yet; the same errors as `forward`."""
    await _check_size(request)
    headers = _request_headers(request, ours)
    body = _body(request) if request.can_read_body else None
    try:
        return await client.request(
            request.method, _address(request, base_url), headers=headers, data=body, allow_redirects=False
        )
    except ClientError as error:
        if isinstance(error.__cause__, Problem):
            raise error.__cause__ from error
        raise Problem("unreachable", "A part of LiGAN does not answer; try again in a moment.") from error


def _address(request: web.Request, base_url: str) -> URL:
    """Path and query byte for byte as they came: what was routed by one reading must not be answered by another."""
    target = request.raw_path
    if not target.startswith("/"):  # absolute form (RFC 9112, section 3.2.2); its host is this one
        target = request.rel_url.raw_path_qs
    return URL(base_url + target, encoded=True)


async def relay(request: web.Request, answer: ClientResponse) -> web.StreamResponse:
    """Send an answer on to the page as it comes."""
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_response_headers(answer))
    if answer.content_length is not None and "Content-Encoding" not in answer.headers:
        response.content_length = answer.content_length
    await response.prepare(request)
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response


def problem_response(document: ProblemDocument) -> web.Response:
    """A problem document as the gateway's own answer."""
    headers = {"Retry-After": "2"} if document.status in (429, 503) else {}
    return web.Response(
        text=document.model_dump_json(), status=document.status, content_type=MEDIA_TYPE, headers=headers
    )


def _request_headers(request: web.Request, ours: Mapping[str, str]) -> CIMultiDict[str]:
    named = {name.strip().lower() for line in request.headers.getall("Connection", ()) for name in line.split(",")}
    dropped = _HOP_BY_HOP | _COOKIES | named
    headers = CIMultiDict(
        (name, value)
        for name, value in request.headers.items()
        if name.lower() not in dropped and not name.lower().startswith(PRIVATE_PREFIX)
    )
    headers.update(ours)
    if request.content_length is not None:  # known to both: no chunks, and one packet for what is small
        headers["Content-Length"] = str(request.content_length)
    return headers


def _response_headers(answer: ClientResponse) -> CIMultiDict[str]:
    return CIMultiDict(
        (name, value)
        for name, value in answer.headers.items()
        if name.lower() not in _HOP_BY_HOP and not name.lower().startswith(PRIVATE_PREFIX)
    )


def _too_large() -> Problem:
    return Problem("file-too-large", "At most 25 MB are taken; save the photo as JPEG or make it smaller.")


async def _check_size(request: web.Request) -> None:
    if (request.content_length or 0) <= MAX_BODY:
        return
    read = 0  # A browser shows the answer only if its upload was read; but nobody may keep us reading for ever.
    async for chunk in request.content.iter_chunked(1 << 20):
        read += len(chunk)
        if read > _DRAIN_LIMIT:
            break
    raise _too_large()


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    read = 0
    async for chunk in request.content.iter_any():
        read += len(chunk)
        if read > MAX_BODY:
            raise _too_large()
        yield chunk
