"""One way to write JSON, to hash it, to draw a seed from it, to make an identifier and to write the time.

Everything that is stored, compared or reproduced goes through here, so that the same content always has the
same bytes: keys sorted, no spaces, NaN and infinity refused.
"""

import hashlib
import json
import os
import time
from datetime import UTC, datetime
from typing import Any

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def canonical_json(value: Any) -> str:
    """Write ``value`` as JSON with sorted keys and no spaces.

    Raises:
        ValueError: the value holds NaN, infinity or a circular reference.
        TypeError: the value holds something JSON has no form for.
    """
    return _ENCODER.encode(value)


def content_hash(value: Any) -> str:
    """Hash the canonical JSON of ``value``: 32 hexadecimal characters (128 bits) of BLAKE2b."""
    return hashlib.blake2b(canonical_json(value).encode(), digest_size=16).hexdigest()


def derive_seed(*parts: str | int) -> int:
    """Draw a seed in [0, 2**31) from names and numbers, the same in every process and on every machine."""
    digest = hashlib.blake2b(canonical_json(list(parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 2**31


def now() -> str:
    """The time as every record has it: UTC, ISO 8601, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def new_id(prefix: str) -> str:
    """Make an identifier such as ``trj_01hzy...``: a ULID whose leftmost random bits are microseconds (RFC 9562, 6.2, method 3).

    48 bits of milliseconds, 10 of microseconds, 70 random ones: identifiers sort in the order they were made in.
    """
    milliseconds, microseconds = divmod(time.time_ns() // 1000, 1000)
    number = (milliseconds << 80) | (microseconds << 70) | int.from_bytes(os.urandom(9), "big") >> 2
    letters = []
    for _ in range(26):
        number, rest = divmod(number, 32)
        letters.append(_CROCKFORD[rest])
    return f"{prefix}_{''.join(reversed(letters))}"
