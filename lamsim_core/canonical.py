"""One way to write JSON, to hash it, to draw a seed from it, and to make an identifier.

Everything that is stored, compared or reproduced goes through here, so that the same content always has the
same bytes: keys sorted, no spaces, NaN and infinity refused.
"""

import hashlib
import json
import os
import time
from typing import Any

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def canonical_json(value: Any) -> str:
    """Write ``value`` as JSON with sorted keys and no spaces.

    Raises:
        ValueError: the value holds NaN, infinity or a circular reference.
        TypeError: the value holds something JSON has no form for.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def content_hash(value: Any) -> str:
    """Hash the canonical JSON of ``value``: 32 hexadecimal characters (128 bits) of BLAKE2b."""
    return hashlib.blake2b(canonical_json(value).encode(), digest_size=16).hexdigest()


def derive_seed(*parts: str | int) -> int:
    """Draw a seed in [0, 2**31) from names and numbers, the same in every process and on every machine."""
    digest = hashlib.blake2b(canonical_json(list(parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 2**31


def new_id(prefix: str) -> str:
    """Make an identifier such as ``trj_01hzy...``: sortable by the millisecond it was made in, unique by 80 random bits."""
    number = (int(time.time() * 1000) << 80) | int.from_bytes(os.urandom(10), "big")
    letters = []
    for _ in range(26):
        number, rest = divmod(number, 32)
        letters.append(_CROCKFORD[rest])
    return f"{prefix}_{''.join(reversed(letters))}"
