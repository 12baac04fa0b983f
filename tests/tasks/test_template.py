"""Templates as people write them: what is read, and mistakes told with their line."""

import pytest

from lamsim_core.errors import TaskTemplateError
from lamsim_core.tasks import instantiate
from lamsim_core.tasks.instance import turns
from lamsim_core.tasks.template import Template, parse_templates
from lamsim_core.tools import get_category

PAIR = """
- id: calendar.pair
  say: ["Invite {{ one.name }} and {{ two.name }} to {{ event.title }}.", "b {{ event.title }} {{ one.name }} {{ two.name }}"]
  pick:
    event: {from: events, where: "row.guests | length == 0"}
    one: {from: calendar_people}
    two: {from: calendar_people, where: "row.id != one.id"}
  solve:
    - {call: find_events, with: {title: "{{ event.title }}"}, as: found}
    - - {call: invite_guest, with: {event_id: "{{ found[0].id }}", guest: "{{ one.name }}"}}
      - {call: invite_guest, with: {event_id: "{{ found[0].id }}", guest: "{{ two.name }}"}}
  expect: {state: true}
"""


def read(text: str) -> Template:
    (template,) = parse_templates(text, "test", get_category("calendar"))
    return template


def test_a_list_within_the_solution_is_one_turn() -> None:
    template = read(PAIR)
    assert [len(turn) for turn in turns(template.solve)] == [1, 2]
    assert template.kinds == ("write", "multi_step", "parallel")
    task = instantiate(template, 1)
    assert [call.together for call in task.gold] == [False, False, True]


def test_calls_of_one_turn_do_not_see_each_other() -> None:
    text = PAIR.replace('guest: "{{ one.name }}"}}', 'guest: "{{ one.name }}"}, as: done}').replace(
        'guest: "{{ two.name }}"', 'guest: "{{ done.guests[0] }}"'
    )
    with pytest.raises(TaskTemplateError, match="done"):
        instantiate(read(text), 1)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("expect: {state: true}", "expect: {}", "nothing is expected"),
        ("expect: {state: true}", "expect: {state: true, decline: true}", "expects nothing else"),
        ("expect: {state: true}", "expect: {ask: {about: [when]}}", "not_about"),
        ("expect: {state: true}", "expect: {ask: {about: [when], not_about: [who]}}", "has no reference calls"),
        ("expect: {state: true}", "expect: {answer: {text: x}}", "rivals"),
        ("expect: {state: true}", "expect: {answer: {number: 1, ordered: true}}", "only a list has an order"),
        ("call: find_events", "call: find_event", "Did you mean 'find_events'"),
        ("from: events", "make: nothing", "no maker"),
        ("  solve:", "  uses: [nowhere]\n  solve:", "no category"),
        ("calendar.pair", "banking.pair", "must start with 'calendar'"),
        ("calendar.pair", "Calendar pair", "id"),
        ('guest: "{{ two.name }}"}}', 'guest: "{{ two.name }}"}, fails: true}', "last reference call fails"),
        ("  say:", "  say: &x", "say"),
    ],
)
def test_a_template_that_is_not_well_formed_is_refused(old: str, new: str, told: str) -> None:
    text = PAIR.replace(old, new)
    if new.endswith("&x"):
        text = PAIR.replace("  pick:", "  require: [*x]\n  pick:").replace("  say: [", "  say: &x [")
        told = "aliases"
    with pytest.raises(TaskTemplateError, match=told) as caught:
        read(text)
    assert "test:" in str(caught.value)


def test_a_call_that_must_fail_fails_in_every_instance() -> None:
    text = """
- id: calendar.taken
  say:
    - "Book {{ title }} at {{ busy.start }}; if that is taken, at {{ free }}. 45 minutes."
    - "x {{ title }} {{ busy.start }} {{ free }}"
  pick:
    busy: {from: events}
    title: {choice: [Chess, Pottery]}
    free: {make: free_slot, minutes: 45}
  solve:
    - {call: create_event, with: {title: "{{ title }}", start: "{{ busy.start }}", minutes: 45}, fails: true}
    - {call: create_event, with: {title: "{{ title }}", start: "{{ free }}", minutes: 45}}
  expect: {state: true}
"""
    template = read(text)
    assert template.kinds == ("write", "recovery")
    for seed in range(10):
        assert [call.fails for call in instantiate(template, seed).gold] == [True, False]
