"""How a record becomes one line of a journal segment, and how a line is believed.

    {"v":1,"kind":"mark","length":97,"sha256":"4f0c...","payload":{"author":"me",...}}

The payload is canonical JSON, so a line begins with ``MARK`` and holds it nowhere else: within strings every quote is
escaped, and among sorted keys "kind" never follows "v". A reader that lost its place finds the next record by it.
A line is believed only when writing its payload again gives the same bytes, so no byte of it can change unseen.
"""

import hashlib
import json
import re
from typing import Literal

from pydantic import ValidationError

from lamsim_core.canonical import canonical_json
from lamsim_core.records import Adapter, Dataset, Evaluation, Mark, Record, Rejudgement, Rescore, Review, Trajectory

Kind = Literal["trajectory", "mark", "dataset", "adapter", "evaluation", "review", "rejudgement", "rescore"]
"""What a journal holds."""

KINDS: dict[Kind, type[Record]] = {
    "trajectory": Trajectory,
    "mark": Mark,
    "dataset": Dataset,
    "adapter": Adapter,
    "evaluation": Evaluation,
    "review": Review,
    "rejudgement": Rejudgement,
    "rescore": Rescore,
}
"""The record class of each kind."""

MARK = b'{"v":1,"kind":"'
"""How every line begins."""

_HEADER = re.compile(rb'\{"v":1,"kind":"([a-z]{1,20})","length":\d{1,15},"sha256":"[0-9a-f]{64}","payload":')


def frame(kind: str, payload: bytes) -> bytes:
    """Write the line, newline included, that holds ``payload``."""
    digest = hashlib.sha256(kind.encode() + b":" + payload).hexdigest()
    header = f'{{"v":1,"kind":"{kind}","length":{len(payload)},"sha256":"{digest}","payload":'
    return b"".join((header.encode(), payload, b"}\n"))


def unframe(line: bytes) -> tuple[Kind, bytes]:
    """Read the kind and the payload of a line.

    Raises:
        ValueError: the line is not, byte for byte, a line that was written; says why in a few words.
    """
    header = _HEADER.match(line)
    if header is None:
        raise ValueError("it does not begin like a record")
    kind = header[1].decode()
    payload = line[header.end() : -2]
    if frame(kind, payload) != line:
        raise ValueError("its content does not match its length and checksum")
    for known in KINDS:
        if known == kind:
            return known, payload
    raise ValueError(f"it holds a {kind!r}, which this version does not know")


def kind_of(record: Record) -> Kind:
    """Which kind a record is stored as.

    Raises:
        ValueError: records of this class are not stored.
    """
    for kind, cls in KINDS.items():
        if type(record) is cls:
            return kind
    raise ValueError(f"a {type(record).__name__} is not stored in the journal")


def encode(kind: Kind, record: Record) -> bytes:
    """Write a record as a payload that is known to read back.

    Raises:
        ValueError: the record is not of this kind, or holds something that would not read back (NaN, an unchecked
            copy with a value of the wrong type).
    """
    if type(record) is not KINDS[kind]:
        raise ValueError(f"a {type(record).__name__} is not a {kind}")
    try:
        # Mode "python" keeps lone surrogates in keys, which mode "json" replaces.
        payload = canonical_json(record.model_dump(warnings="none")).encode()
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    decode(kind, payload)
    return payload


def decode(kind: Kind, payload: bytes) -> Record:
    """Read a payload.

    Raises:
        ValueError: the payload does not fit the record of this kind, as this version knows it.
    """
    cls = KINDS[kind]
    try:
        return cls.model_validate_json(payload)
    except ValidationError:
        pass  # The fast reader refuses lone surrogates and nesting beyond 200, both of which a record may hold.
    try:
        return cls.model_validate(json.loads(payload))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the record"
        raise ValueError(f"it does not fit this version's {kind}: {place}: {first['msg']}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def payload_hash(payload: bytes) -> str:
    """Hash of a record's whole content, from its payload: 32 hexadecimal characters, as ``canonical.content_hash``."""
    return hashlib.blake2b(payload, digest_size=16).hexdigest()
