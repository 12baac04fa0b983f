"""Instances whose tools look as they are, so that a test can write calls by hand."""

from lamsim_core.records import Task
from lamsim_core.tasks import get_template, instantiate


def plain_instance(template: str, *tools: str, first: int = 0) -> Task:
    """The first instance, by seed, that offers its category's own tools as they are, ``tools`` among them."""
    for seed in range(first, first + 500):
        task = instantiate(get_template(template), seed)
        if task.style == "plain" and task.worlds == (task.category,) and set(tools) <= {t.name for t in task.tools}:
            return task
    raise AssertionError(f"no plain instance of {template} with {tools}")
