"""The library of shipped templates: read once, and each held to the contracts before anybody may use it."""

from functools import lru_cache
from pathlib import Path

from lamsim_core.errors import InvalidInputError, NotFoundError
from lamsim_core.settings import Settings, get_settings
from lamsim_core.tasks.template import Template, parse_templates
from lamsim_core.tasks.verify import hold_to_contracts
from lamsim_core.tools import categories


@lru_cache(maxsize=4)
def _load(data: Path) -> dict[str, Template]:
    templates: dict[str, Template] = {}
    for category in categories().values():
        path = data / category.name / "tasks.yaml"
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InvalidInputError(f"The tasks of category {category.name!r} cannot be read: {error}") from error
        for template in parse_templates(text, f"{category.name}/tasks.yaml", category):
            hold_to_contracts(template)
            templates[template.id] = template
    return templates


def load_templates(settings: Settings | None = None) -> dict[str, Template]:
    """Every shipped template by id. Raises TaskTemplateError when one is not well formed or breaks a contract."""
    return _load((settings or get_settings()).data)


def get_template(name: str) -> Template:
    """One template. Raises NotFoundError."""
    known = load_templates()
    if name not in known:
        raise NotFoundError("task", name, known)
    return known[name]
