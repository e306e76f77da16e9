"""JSON-RPC 2.0: the bytes of a request to the bytes of its answer.

Nothing that a client sends may do harm or go unanswered: what cannot be read is an error object,
what a method refuses is an error object, and an id comes back exactly as it was written, however
long its number. The methods themselves are in ``methods``.

Codes: -32700 not JSON, -32600 not a request, -32601 no such method, -32602 bad parameters, -32000
the chain says no, -32003 the answers of a batch grow too large.
"""

import logging
from dataclasses import dataclass
from typing import Any

import msgspec

from jigap.chain.invalid import Invalid
from jigap.node.methods import METHODS, SUBMITTING
from jigap.node.parameters import InvalidParams
from jigap.node.solo import SoloChain
from jigap.node.view import StateNotKept

BATCH_CALLS_MAX = 512
#: Once the answers of a batch are this large, its other calls are refused.
BATCH_ANSWER_BYTES_MAX = 32 << 20

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
REFUSED = -32000
TOO_LARGE = -32003

log = logging.getLogger(__name__)


class _Request(msgspec.Struct):
    method: Any = None
    params: Any = None
    id: msgspec.Raw = msgspec.Raw()


_read_request = msgspec.json.Decoder(_Request).decode
_read_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer; ``submitted`` says that it must not leave before the chain has kept its pool."""

    content: bytes
    submitted: bool = False


def answer(chain: SoloChain, body: bytes) -> Reply:
    """Answer one request or one batch."""
    try:
        body.decode("utf-8")  # the id is echoed as it is, so it has to be text
    except UnicodeDecodeError:
        return Reply(_error(b"null", PARSE_ERROR, "the request is not UTF-8"))
    if body.lstrip()[:1] == b"[":
        return _answer_batch(chain, body)
    content, submitted = _answer_one(chain, body)
    return Reply(content, submitted)


def _answer_batch(chain: SoloChain, body: bytes) -> Reply:
    try:
        requests = _read_batch(body)
    except (msgspec.DecodeError, RecursionError):
        return Reply(_error(b"null", PARSE_ERROR, "the request is not JSON"))
    if not requests:
        return Reply(_error(b"null", INVALID_REQUEST, "empty batch"))
    if len(requests) > BATCH_CALLS_MAX:
        return Reply(_error(b"null", INVALID_REQUEST, f"more than {BATCH_CALLS_MAX} calls"))
    contents: list[bytes] = []
    size, any_submitted = 0, False
    for request in requests:
        if size > BATCH_ANSWER_BYTES_MAX:
            content, submitted = _error(_id_of(request), TOO_LARGE, "response too large"), False
        else:
            content, submitted = _answer_one(chain, bytes(request))
        contents.append(content)
        size += len(content)
        any_submitted = any_submitted or submitted
    return Reply(b"[" + b",".join(contents) + b"]", any_submitted)


def _answer_one(chain: SoloChain, body: bytes) -> tuple[bytes, bool]:
    """The answer, and whether something was put into the pool."""
    try:
        request = _read_request(body)
    except msgspec.ValidationError:
        return _error(b"null", INVALID_REQUEST, "the request is not an object"), False
    except (msgspec.DecodeError, RecursionError):
        return _error(b"null", PARSE_ERROR, "the request is not JSON"), False
    id_ = bytes(request.id)
    if id_[:1] in (b"", b"{", b"[", b"t", b"f"):
        return _error(b"null", INVALID_REQUEST, "missing request id"), False
    if not isinstance(request.method, str):
        return _error(id_, INVALID_REQUEST, "missing method"), False
    return _call(chain, id_, request.method, request.params)


def _call(chain: SoloChain, id_: bytes, name: str, params: Any) -> tuple[bytes, bool]:
    method = METHODS.get(name)
    if method is None:
        words = f"The method {name[:64]} does not exist/is not available"
        return _error(id_, METHOD_NOT_FOUND, words), False
    if params is None:
        params = []
    elif not isinstance(params, list):
        return _error(id_, INVALID_PARAMS, "non-array args"), False
    try:
        result = method(chain, params)
    except InvalidParams as error:
        return _error(id_, INVALID_PARAMS, str(error)), False
    except (Invalid, StateNotKept) as refused:
        return _error(id_, REFUSED, str(refused)), False
    except Exception:  # a bug of ours must not take the node down with it
        log.exception("%s failed", name)
        return _error(id_, INTERNAL_ERROR, "internal error"), False
    content = b'{"jsonrpc":"2.0","id":' + id_ + b',"result":' + _encode(result) + b"}"
    return content, name in SUBMITTING


def failed(body: bytes, message: str) -> bytes:
    """The answer to a request whose effect could not be kept."""
    try:
        many = body.lstrip()[:1] == b"["
        ids = [_id_of(one) for one in (_read_batch(body) if many else [msgspec.Raw(body)])]
    except (msgspec.DecodeError, RecursionError):
        many, ids = False, [b"null"]
    errors = [_error(id_, INTERNAL_ERROR, message) for id_ in ids]
    return b"[" + b",".join(errors) + b"]" if many else errors[0]


def _id_of(request: msgspec.Raw) -> bytes:
    try:
        id_ = bytes(_read_request(request).id)
    except (msgspec.DecodeError, RecursionError):
        return b"null"
    return b"null" if id_[:1] in (b"", b"{", b"[", b"t", b"f") else id_


def _error(id_: bytes, code: int, message: str) -> bytes:
    error = _encode({"code": code, "message": message})
    return b'{"jsonrpc":"2.0","id":' + id_ + b',"error":' + error + b"}"
