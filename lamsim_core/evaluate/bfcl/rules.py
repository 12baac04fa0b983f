"""Whether calls are the expected ones: the benchmark's own rules for tasks of one turn, for JSON arguments.

Source of every rule: ``bfcl_eval/eval_checker/ast_eval/ast_checker.py`` of bfcl-eval 2026.3.23 (Apache-2.0), the parts for
Python; each function below names the one it follows. Kinds of faults are its ``error_type`` to the letter. Where the official
one breaks down with an exception (an answer of a form it does not foresee) the call is wrong here. The self-test
(``bfcl --self-test``) holds the two together on tens of thousands of answers.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from lamsim_core.evaluate.bfcl.items import Accepted, Function

Call = tuple[str, dict[str, Any]]
"""Name and arguments."""

_TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "any": str,
}
"""``PYTHON_TYPE_MAPPING``. Types are compared exactly, so true is no integer."""


class Fault(NamedTuple):
    """Why an answer is wrong."""

    kind: str
    """The benchmark's name for it."""
    message: str


def check_calls(
    category: str, functions: Sequence[Function], calls: Sequence[Call], accepted: Sequence[Accepted]
) -> Fault | None:
    """Judge the calls of a reply; None when they are right (``ast_checker``).

    Args:
        category: decides whether one call or several in any order are expected.
        functions: those offered.
        calls: those made.
        accepted: those expected.
    """
    if "parallel" in category:
        return _in_any_order(functions, calls, accepted)
    kind = "multiple" if "multiple" in category else "simple"
    if len(calls) != 1:
        return Fault(f"{kind}_function_checker:wrong_count", f"One call was expected, {len(calls)} were made.")
    (expected,) = accepted[0]
    function = _find(functions, expected) if kind == "multiple" else functions[0]
    return check_call(function, calls[0], accepted[0])


def _in_any_order(functions: Sequence[Function], calls: Sequence[Call], accepted: Sequence[Accepted]) -> Fault | None:
    """Every expected call takes the first call left that fits (``parallel_function_checker_no_order``)."""
    family = "parallel_function_checker_no_order"
    if len(calls) != len(accepted):
        return Fault(f"{family}:wrong_count", f"{len(accepted)} calls were expected, {len(calls)} were made.")
    left = list(calls)
    for answer in accepted:
        (name,) = answer
        function = _find(functions, name)
        faults = [check_call(function, call, answer) for call in left]
        if None not in faults:
            reasons = "; ".join(fault.message for fault in faults if fault is not None)
            return Fault(f"{family}:cannot_find_match", f"No call fits the expected one of {name}: {reasons}")
        left.pop(faults.index(None))
    return None


def _find(functions: Sequence[Function], name: str) -> Function:
    return next(function for function in functions if function["name"] == name)


def check_call(function: Function, call: Call, answer: Accepted) -> Fault | None:
    """Judge one call against one expected call (``simple_function_checker``): the first fault, or None."""
    family = "simple_function_checker"
    ((_, accepted),) = answer.items()
    name, arguments = call
    parameters = function["parameters"]["properties"]
    if name != function["name"]:
        return Fault(f"{family}:wrong_func_name", f"The call is of {name}, expected is {function['name']}.")
    for parameter in function["parameters"].get("required", ()):
        if parameter not in arguments:
            return Fault(f"{family}:missing_required", f"The required argument {parameter} is missing.")
    for parameter, value in arguments.items():
        if parameter not in parameters or parameter not in accepted:
            return Fault(f"{family}:unexpected_param", f"The argument {parameter} is not expected.")
        try:
            fault = _check_value(parameter, parameters[parameter], value, accepted[parameter])
        except (
            AttributeError,
            IndexError,
            KeyError,
            TypeError,
        ):  # a form the rules cannot compare with what is accepted
            fault = _wrong("others", parameter, value, accepted[parameter])
        if fault is not None:
            return fault
    for parameter, values in accepted.items():
        if parameter not in arguments and "" not in values:
            return Fault(f"{family}:missing_optional", f"The argument {parameter} is missing and must not be.")
    return None


def _check_value(parameter: str, described: dict[str, Any], value: Any, accepted: list[Any]) -> Fault | None:
    """Type, then value, of one argument."""
    expected = _TYPES[described["type"]]
    inner = _TYPES[described["items"]["type"]] if described["type"] in ("array", "tuple") else None
    if described["type"] == "float" and type(value) is int:
        with suppress(OverflowError):
            value = float(value)
    fault, other_type = _check_type(parameter, value, accepted, expected, inner)
    if fault is not None:
        return fault
    if not other_type:
        if expected is dict:
            return _check_dict(parameter, value, accepted)
        if expected is list and inner is dict:
            return _check_dicts(parameter, value, accepted)
        if expected is str:
            return _check_string(parameter, value, accepted)
        if expected is list:
            return _check_list(parameter, value, accepted)
    return None if value in accepted else _wrong("others", parameter, value, accepted)


def _check_type(
    parameter: str, value: Any, accepted: list[Any], expected: type, inner: type | None
) -> tuple[Fault | None, bool]:
    """Judge the type of a value, lists one level deep (``type_checker``).

    Returns:
        The fault or None, and whether the type is that of the accepted values and not the one described: such a value is
        then compared as it is.
    """
    usual = next((type(each) for each in accepted if each != ""), None)
    if type(value) is expected:
        items: Any = value  # a list wherever the type of its items is described
        if inner is None or any(_items_fit(items, each, inner) for each in accepted):
            return None, usual is not None and usual is not expected
        return Fault("type_error:nested", f"{parameter} holds values of a wrong type: {value!r}."), False
    if usual is not None and type(value) is usual:
        return None, True
    return Fault("type_error:simple", f"{parameter} has a wrong type: {value!r}."), False


def _items_fit(value: list[Any], accepted: Any, inner: type) -> bool:
    """Whether the items have the type described, or that of one accepted list. What is no list forbids nothing."""
    if type(accepted) is not list:
        return True
    usual = next((type(each) for each in accepted if each != ""), None)
    return all(type(item) is inner or (usual is not None and type(item) is usual) for item in value)


def plain(value: Any) -> Any:
    """A text without case and without space , . / - _ * ^ and with one kind of quotes (``standardize_string``)."""
    return re.sub(r"[ ,./\-_*^]", "", value).lower().replace("'", '"') if type(value) is str else value


def _check_string(parameter: str, value: str, accepted: list[Any]) -> Fault | None:
    """``string_checker``."""
    known = [plain(each) for each in accepted if type(each) is str]
    return None if plain(value) in known else _wrong("string", parameter, value, accepted)


def _check_list(parameter: str, value: list[Any], accepted: list[Any]) -> Fault | None:
    """The whole list is one of the accepted ones, texts compared plainly (``list_checker``)."""
    known = [[plain(item) for item in each] for each in accepted]
    return None if [plain(item) for item in value] in known else _wrong("list/tuple", parameter, value, accepted)


def _check_dict(parameter: str, value: dict[str, Any], accepted: list[Any]) -> Fault | None:
    """Every key is known and has an accepted value, none is missing that must be there (``dict_checker``)."""
    fault: Fault | None = Fault("dict_checker:unclear", f"Nothing is accepted for {parameter}.")
    for answer in accepted:
        if answer == "":
            continue
        fault = None
        for key, item in value.items():
            if key not in answer:
                fault = Fault("value_error:dict_key", f"{parameter} has a key that is not expected: {key}.")
                break
            known = [plain(each) for each in answer[key]]
            if plain(item) not in known:
                fault = _wrong("dict_value", f"{parameter}.{key}", item, known)
                break
        for key, values in answer.items():
            if key not in value and "" not in values:
                fault = Fault("value_error:dict_key", f"{parameter} lacks the key {key}.")
                break
        if fault is None:
            return None
    return fault


def _check_dicts(parameter: str, value: list[Any], accepted: list[Any]) -> Fault | None:
    """One accepted list fits, object by object (``list_dict_checker``)."""
    fault: Fault | None = Fault("list_dict_checker:unclear", f"Nothing is accepted for {parameter}.")
    for answer in accepted:
        if len(value) != len(answer):
            fault = Fault("value_error:list_dict_count", f"{parameter} has {len(value)} objects: {value!r}.")
            continue
        faults = (_check_dict(parameter, item, [one]) for item, one in zip(value, answer, strict=True))
        fault = next((each for each in faults if each is not None), None)
        if fault is None:
            return None
    return fault


def _wrong(kind: str, parameter: str, value: Any, accepted: Sequence[Any]) -> Fault:
    return Fault(f"value_error:{kind}", f"{parameter} is {value!r}; accepted: {list(accepted)!r}.")
