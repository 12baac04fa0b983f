"""The library of templates: those shipped and the user's own, each held to the contracts before anybody may use it.

Trying every shipped template takes seconds, so that they hold is remembered in the cache under a hash of everything it
depends on: the tasks and content, and the code of worlds, tools, tasks and feedback.
"""

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from lamsim_core.errors import InvalidInputError, NotFoundError, TaskTemplateError
from lamsim_core.files import write_atomic
from lamsim_core.settings import REPOSITORY, Settings, get_settings
from lamsim_core.tasks.template import Template, parse_templates
from lamsim_core.tasks.verify import hold_to_contracts
from lamsim_core.tools import categories, get_category
from lamsim_core.tools.imported.folder import imports_stamp

LONGEST_TEMPLATE = 40_000
"""Characters of a template of the user's own."""
_ID = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_DEPENDS_ON = ("environment", "tools", "tasks", "feedback")


class OwnTemplate(NamedTuple):
    """A file of the user's own tasks."""

    id: str
    text: str
    template: Template | None
    """None when it cannot be used ..."""
    problem: str | None
    """... and why."""


def load_templates(settings: Settings | None = None) -> dict[str, Template]:
    """Every usable template by id: all that are shipped, then the user's own.

    Raises:
        TaskTemplateError: a shipped template is not well formed or breaks a contract.
    """
    settings = settings or get_settings()
    own = {each.id: each.template for each in own_templates(settings) if each.template is not None}
    return {**shipped_templates(settings), **own}


def shipped_templates(settings: Settings) -> dict[str, Template]:
    """The templates of the product. Raises TaskTemplateError like ``load_templates``."""
    return _shipped(settings.data, settings.cache)


def get_template(name: str) -> Template:
    """One template. Raises NotFoundError."""
    known = load_templates()
    if name not in known:
        raise NotFoundError("task", name, known)
    return known[name]


def own_templates(settings: Settings) -> list[OwnTemplate]:
    """The user's own templates, also those that cannot be used, by id."""
    files = sorted(settings.tasks.glob("*.yaml")) if settings.tasks.is_dir() else []
    imports = imports_stamp(settings)
    return [
        _read_own(path, path.stat().st_mtime_ns, settings.data, imports) for path in files if _ID.fullmatch(path.stem)
    ]


def check_own(settings: Settings, text: str) -> Template:
    """Read a template of the user's own and hold it to the contracts.

    Raises:
        TaskTemplateError: it is not one well-formed template, breaks a contract, or takes the id of a shipped one; the
            message names the line where it can.
    """
    template = parse_own(settings, text)
    hold_to_contracts(template)
    return template


def parse_own(settings: Settings, text: str) -> Template:
    """Read a template of the user's own, without trying it. Raises TaskTemplateError like ``check_own``."""
    if len(text) > LONGEST_TEMPLATE:
        raise TaskTemplateError(f"a template may have {LONGEST_TEMPLATE:,} characters; this one has {len(text):,}")
    found = re.search(r"(?m)^- id:\s*['\"]?(?P<category>[a-z][a-z0-9_]*)\.", text)
    if found is None:
        raise TaskTemplateError(
            "expected one template that starts with '- id: category.name'", source="your task", line=1
        )
    try:
        category = get_category(found["category"])
    except NotFoundError as error:
        raise TaskTemplateError(str(error), source="your task", line=text.count("\n", 0, found.start()) + 1) from error
    templates = parse_templates(text, "your task", category)
    if len(templates) != 1:
        raise TaskTemplateError(f"expected one template, got {len(templates)}", source="your task")
    if templates[0].id in shipped_templates(settings):
        raise templates[0].error("a shipped task has this id; choose another")
    return templates[0]


def template_text(settings: Settings, template: Template) -> str:
    """A template as it is written in its file. Raises InvalidInputError when the file cannot be read."""
    for own in own_templates(settings):
        if own.id == template.id:
            return own.text
    path = settings.data / template.category / "tasks.yaml"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InvalidInputError(f"The tasks of category {template.category!r} cannot be read: {error}") from error
    rest = lines[template.line - 1 :]
    end = next((place for place, line in enumerate(rest) if place and line.startswith(("- id:", "#"))), len(rest))
    return "\n".join(rest[:end]).rstrip() + "\n"


def line_of(text: str, error: InvalidInputError) -> int | None:
    """The line of a template that an error is about, counted from 1: where the error says, or where what it quotes stands."""
    message = str(error)
    for quoted in sorted(re.findall(r"'([^']{3,})'|\"([^\"]{3,})\"", message), key=lambda pair: -len("".join(pair))):
        place = text.find("".join(quoted))
        if place >= 0 and not re.match(r"- id:", text[text.rfind("\n", 0, place) + 1 :]):
            return text.count("\n", 0, place) + 1
    call = re.search(r"\bcall (\d+)\b", message)
    if call:
        calls = [match.start() for match in re.finditer(r"\bcall:", text)]
        if int(call[1]) <= len(calls):
            return text.count("\n", 0, calls[int(call[1]) - 1]) + 1
    return error.line if isinstance(error, TaskTemplateError) else None


def save_own(settings: Settings, text: str) -> Template:
    """Keep a template of the user's own; one of the same id is replaced.

    Raises:
        TaskTemplateError: it cannot be used; nothing is written.
    """
    template = check_own(settings, text)
    settings.tasks.mkdir(parents=True, exist_ok=True)
    write_atomic(_own_file(settings, template.id), text)
    return template


def delete_own(settings: Settings, template_id: str) -> None:
    """Remove a template of the user's own. Raises NotFoundError."""
    path = _own_file(settings, template_id)
    if not path.is_file():
        raise NotFoundError("task of your own", template_id)
    path.unlink()


def _own_file(settings: Settings, template_id: str) -> Path:
    if _ID.fullmatch(template_id) is None:
        raise NotFoundError("task of your own", template_id)
    return settings.tasks / f"{template_id}.yaml"


@lru_cache(maxsize=256)
def _read_own(path: Path, changed: int, data: Path, imports: tuple[tuple[str, int, int], ...]) -> OwnTemplate:
    """A template as it holds now; tried again when its file, or what is imported, has changed."""
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        template = check_own(get_settings(), text)
        if template.id != path.stem:
            raise template.error(f"the file is named {path.stem!r}, which is another id")
        return OwnTemplate(path.stem, text, template, None)
    except (OSError, UnicodeDecodeError, InvalidInputError) as error:
        return OwnTemplate(path.stem, text, None, str(error))


@lru_cache(maxsize=4)
def _shipped(data: Path, cache: Path) -> dict[str, Template]:
    templates: dict[str, Template] = {}
    for category in categories().values():
        path = data / category.name / "tasks.yaml"
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InvalidInputError(f"The tasks of category {category.name!r} cannot be read: {error}") from error
        templates.update({each.id: each for each in parse_templates(text, f"{category.name}/tasks.yaml", category)})
    stamp = cache / "verified" / fingerprint(data)
    if not stamp.is_file():
        for template in templates.values():
            hold_to_contracts(template)
        _remember(stamp)
    return templates


def fingerprint(data: Path) -> str:
    """Hash of everything that decides whether the shipped templates hold: 32 hexadecimal characters."""
    package = REPOSITORY / "lamsim_core"
    files = [path for part in _DEPENDS_ON for path in (package / part).rglob("*.py")]
    files += [
        *(package / "records").glob("*.py"),
        package / "canonical.py",
        *data.glob("*.yaml"),
        *data.glob("*/*.yaml"),
    ]
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()


def _remember(stamp: Path) -> None:
    """Note that the templates hold. A cache that cannot be written costs time, nothing else."""
    try:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        for old in stamp.parent.iterdir():
            old.unlink(missing_ok=True)
        write_atomic(stamp, "")
    except OSError:
        return
