"""From the trajectories of a run to the numbers of an evaluation. The plan is the denominator, never what finished."""

from collections import Counter
from collections.abc import Iterable, Sequence

from lamsim_core.evaluate.statistics import (
    bootstrap_interval,
    cluster_interval,
    mcnemar_p,
    pass_hat_k,
    wilson_interval,
)
from lamsim_core.records import Comparison, EvaluationRow, PolicyInfo, Sampling, Split, Task, Trajectory, Trials

Outcomes = dict[tuple[str, int], bool]
"""Whether each planned attempt passed, by task key and attempt, in the order of the plan."""


def outcomes(tasks: Sequence[Task], attempts: int, trajectories: Iterable[Trajectory]) -> Outcomes:
    """What became of every planned attempt. Unfinished and unscored ones did not pass; unplanned ones do not count.

    Only plain attempts pass: what feedback or a search helped to is no pass of the policy.
    """
    planned: Outcomes = {(task.key, attempt): False for task in tasks for attempt in range(attempts)}
    for trajectory in trajectories:
        place = (trajectory.task.key, trajectory.attempt)
        if place in planned and trajectory.passed is True and trajectory.plain:
            planned[place] = True
    return planned


def evaluation_row(
    policy: PolicyInfo,
    run: str,
    tasks: Sequence[Task],
    attempts: int,
    trajectories: Sequence[Trajectory],
    *,
    split: Split | None = None,
    trials: Trials | None = None,
) -> EvaluationRow:
    """One policy's result on the plan. Trajectories beyond the plan are passed over."""
    found = outcomes(tasks, attempts, trajectories)
    finished = [each for each in trajectories if (each.task.key, each.attempt) in found]
    passed = sum(found.values())
    low, high = wilson_interval(passed, len(found))
    steps = [step for trajectory in finished for step in trajectory.steps]
    # A gate that broke down says nothing about the agent: only a "fail" is a mistake.
    mistakes = [
        {verdict.error_class for verdict in step.failed if verdict.outcome == "fail" and verdict.error_class}
        for step in steps
    ]
    failed = sum(1 for classes in mistakes if classes)
    return EvaluationRow(
        policy=policy,
        split=split,
        planned=len(found),
        finished=len(finished),
        passed=passed,
        pass_rate=passed / len(found) if found else 0.0,
        low=low,
        high=high,
        actions=len(steps),
        errors=dict(sorted(Counter(name for classes in mistakes for name in classes).items())),
        errors_per_100=100 * failed / len(steps) if steps else None,
        by_category=_by_category(tasks, found),
        mean_seconds=sum(each.seconds for each in finished) / len(finished) if finished else None,
        run=run,
        trials=trials,
    )


def trials_of(
    run: str, sampling: Sampling | None, tasks: Sequence[Task], attempts: int, trajectories: Sequence[Trajectory]
) -> Trials:
    """What came of several sampled attempts at each task."""
    found = outcomes(tasks, attempts, trajectories)
    passed = Counter(key for (key, _), good in found.items() if good)
    passes = [passed[task.key] for task in tasks]
    low, high = cluster_interval([count / attempts for count in passes])
    return Trials(
        run=run,
        sampling=sampling,
        attempts=attempts,
        passes=tuple(passes),
        finished=sum((each.task.key, each.attempt) in found for each in trajectories),
        pass_rate=sum(passes) / (attempts * len(passes)),
        low=low,
        high=high,
        all_pass=tuple(pass_hat_k(passes, attempts, k) for k in range(1, attempts + 1)),
    )


def _by_category(tasks: Sequence[Task], found: Outcomes) -> dict[str, tuple[int, int]]:
    category = {task.key: task.category for task in tasks}
    planned = Counter(category[key] for key, _ in found)
    passed = Counter(category[key] for (key, _), good in found.items() if good)
    return {name: (passed[name], planned[name]) for name in sorted(planned)}


def compare(
    first: str, second: str, first_found: Outcomes, second_found: Outcomes, split: Split | None = None
) -> Comparison:
    """Two policies on the same planned attempts, paired; with ``split``, those of that split.

    Raises:
        ValueError: the two were not planned alike, or nothing was planned.
    """
    if not first_found or set(first_found) != set(second_found):
        raise ValueError(f"{first!r} and {second!r} cannot be compared: they were not tried on the same attempts")
    pairs = Counter((good, second_found[place]) for place, good in first_found.items())
    by_task = _shares(first_found), _shares(second_found)
    low, high = bootstrap_interval(list(by_task[0].values()), [by_task[1][key] for key in by_task[0]])
    return Comparison(
        first=first,
        second=second,
        split=split,
        both=pairs[True, True],
        only_first=pairs[True, False],
        only_second=pairs[False, True],
        neither=pairs[False, False],
        difference=(pairs[False, True] - pairs[True, False]) / len(first_found),
        low=low,
        high=high,
        p_value=mcnemar_p(pairs[True, False], pairs[False, True]),
    )


def _shares(found: Outcomes) -> dict[str, float]:
    """For each task the share of its attempts that passed."""
    attempts = Counter(key for key, _ in found)
    passed = Counter(key for (key, _), good in found.items() if good)
    return {key: passed[key] / number for key, number in attempts.items()}


def reliability(found: Outcomes) -> list[float]:
    """pass^1, pass^2, ... up to the number of attempts per task: the chance that so many attempts all pass."""
    attempts = max((attempt + 1 for _, attempt in found), default=0)
    passed = Counter({key: 0 for key, _ in found})
    passed.update(key for (key, _), good in found.items() if good)
    return [pass_hat_k(list(passed.values()), attempts, k) for k in range(1, attempts + 1)]
