"""The parts of the benchmark that are measured here, and the classes its conversations act on."""

SINGLE_TURN = (
    "simple_python",
    "multiple",
    "parallel",
    "parallel_multiple",
    "irrelevance",
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
    "live_irrelevance",
    "live_relevance",
)
"""One request, one reply. ``live_`` ones were written by users of the benchmark's authors."""

MULTI_TURN = ("multi_turn_base", "multi_turn_miss_func", "multi_turn_miss_param", "multi_turn_long_context")
"""Several requests in one conversation, acting on objects with a state."""

CATEGORIES = SINGLE_TURN + MULTI_TURN

GROUPS: dict[str, tuple[str, ...]] = {
    "non_live": tuple(name for name in SINGLE_TURN if not name.startswith("live_")),
    "live": tuple(name for name in SINGLE_TURN if name.startswith("live_")),
    "single_turn": SINGLE_TURN,
    "multi_turn": MULTI_TURN,
    "all": CATEGORIES,
}
"""Names for several categories at once."""

ADDED_FUNCTIONS = "I have updated some more functions you can choose from. What about now?"
"""What the user says where a held-back function is handed over (``constants/default_prompts.py``)."""

MAX_STEPS = 20
"""Rounds of calls allowed within one turn; one more ends the conversation (``MAXIMUM_STEP_LIMIT``, same file)."""

CLASSES = {
    "GorillaFileSystem": "gorilla_file_system",
    "MathAPI": "math_api",
    "MessageAPI": "message_api",
    "TwitterAPI": "posting_api",
    "TicketAPI": "ticket_api",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "VehicleControlAPI": "vehicle_control",
}
"""Each class, and what its module and the file with the descriptions of its functions are called."""

STATELESS = frozenset({"MathAPI"})
"""Classes that take no initial state (``constants/executable_backend_config.py``)."""


def expand(names: tuple[str, ...]) -> tuple[str, ...]:
    """Categories and groups as categories, each once, in the order of ``CATEGORIES``.

    Raises:
        ValueError: a name is neither.
    """
    unknown = [name for name in names if name not in CATEGORIES and name not in GROUPS]
    if unknown:
        raise ValueError(f"there is no category {unknown[0]!r}; known: {', '.join((*CATEGORIES, *GROUPS))}")
    wanted = {category for name in names for category in GROUPS.get(name, (name,))}
    return tuple(category for category in CATEGORIES if category in wanted)


def answered(category: str) -> bool:
    """Whether the category has accepted answers; the others ask only whether there is a call."""
    return not category.endswith("relevance")  # irrelevance too
