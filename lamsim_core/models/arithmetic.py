"""In which numbers a processor multiplies fastest, found out by trying.

Some processors have units for products in 16 bits and are two to eight times as fast in them; others make such products
out of those in 32 bits and are slower, by half on some servers that even list the instructions. Names and flags do not
tell which, so both are timed once, in some tens of milliseconds.
"""

import time
from functools import cache
from typing import Any

_TOKENS, _INPUTS, _OUTPUTS = 256, 576, 1536
"""A layer of the default model, reading a prompt."""
_TRIES = 5
_MARGIN = 1.2
"""So many times as fast must 32 bits be, which take twice the memory."""


@cache
def fastest_dtype() -> Any:
    """``torch.bfloat16``, or ``torch.float32`` where this processor multiplies clearly faster in it. Asked once a process."""
    import torch

    times = {dtype: _seconds(dtype) for dtype in (torch.bfloat16, torch.float32)}
    return torch.float32 if times[torch.bfloat16] > _MARGIN * times[torch.float32] else torch.bfloat16


def _seconds(dtype: Any) -> float:
    """The shortest of a few products, the first left out."""
    import torch

    tokens, weight = torch.ones(_TOKENS, _INPUTS, dtype=dtype), torch.ones(_OUTPUTS, _INPUTS, dtype=dtype)
    taken: list[float] = []
    for _ in range(_TRIES + 1):
        began = time.perf_counter()
        torch.nn.functional.linear(tokens, weight)
        taken.append(time.perf_counter() - began)
    return min(taken[1:])
