"""Several processes that train one adapter together, under ``accelerate launch``: one leads, all do the same steps.

The leader has the job: it reports, is told to stop, and publishes. The others learn from it what they must agree on.
Alone, every question here is answered without a word.
"""

import os
from typing import Any, TypeVar

ValueT = TypeVar("ValueT")


def size() -> int:
    """How many processes there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is; 0 leads."""
    return int(os.environ.get("RANK", "0"))


def leads() -> bool:
    """Whether this process leads."""
    return rank() == 0


def told(value: ValueT) -> ValueT:
    """The leader's value. Every process must ask at the same place."""
    if size() == 1:
        return value
    from accelerate.utils import broadcast_object_list

    _meet()
    box = [value]
    broadcast_object_list(box, from_process=0)
    return box[0]


def wait() -> None:
    """Go on when every process is here."""
    if size() > 1:
        _meet().wait_for_everyone()


def _meet() -> Any:
    """The group of all processes, made when it is not there yet."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())
