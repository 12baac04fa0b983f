"""Random walks through every shipped template: valid calls and a value that was seen do not solve a task."""

import pytest

from lamsim_core.explore.walks import random_walks
from lamsim_core.tasks import Template, load_templates

TEMPLATES = list(load_templates().values())


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.id)
def test_random_walks_do_not_get_through(template: Template) -> None:
    """At most 2 of 100. Where chance says otherwise, twelve times as many walks tell."""
    passed = random_walks(template, range(5), 20)
    if passed > 2:
        more = random_walks(template, range(60), 20)
        assert more <= 2 * 12, f"{passed} of 100 random walks pass, and {more} of 1,200"
