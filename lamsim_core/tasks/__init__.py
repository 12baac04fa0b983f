"""Tasks are data: templates in data/<category>/tasks.yaml become instances, one per seed."""

from lamsim_core.tasks.instance import build_environment, instantiate
from lamsim_core.tasks.library import get_template, load_templates
from lamsim_core.tasks.splits import SPLITS, plan_tasks, split_of, templates_of
from lamsim_core.tasks.template import Template
from lamsim_core.tasks.verify import TemplateReport, verify_template

__all__ = [
    "SPLITS",
    "Template",
    "TemplateReport",
    "build_environment",
    "get_template",
    "instantiate",
    "load_templates",
    "plan_tasks",
    "split_of",
    "templates_of",
    "verify_template",
]
