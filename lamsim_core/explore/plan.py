"""What every job that lets agents try tasks is asked: which instances, how often, and how replies are drawn."""

from pydantic import Field

from lamsim_core.agent.policy import PLAIN_POLICIES, acting
from lamsim_core.explore.modes import How
from lamsim_core.models.grammar import check_grammars
from lamsim_core.records import Record, Sampling, Split, Task
from lamsim_core.tasks import plan_tasks


class AttemptParams(Record):
    """Which instances are tried how often, and how replies are drawn."""

    split: Split
    tasks: int = Field(ge=1, le=100_000)
    """Instances planned, templates in turn."""
    attempts: int = Field(default=1, ge=1, le=1000)
    """Attempts at each instance."""
    seed: int = 0
    """Which instances are drawn."""
    temperature: float = Field(default=0.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_new_tokens: int = Field(default=160, ge=1, le=4096)
    max_steps: int = Field(default=8, ge=1, le=100)
    max_tokens: int | None = Field(default=None, ge=1)
    """Tokens written in one attempt in all, after which no further reply is begun."""
    max_seconds: float | None = Field(default=None, gt=0)
    """Time of one attempt; one that meets it is not scored."""
    constrained: bool = False
    """Whether models can only write calls in their right form."""
    categories: tuple[str, ...] = ()
    """Only these; empty means all."""
    templates: tuple[str, ...] = ()
    """Only these; empty means all."""
    quantisation: str | None = None
    batch: int = Field(default=8, ge=1, le=256)
    """Attempts a model makes at the same time."""

    @property
    def sampling(self) -> Sampling:
        """How replies are drawn."""
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            max_new_tokens=self.max_new_tokens,
            max_steps=self.max_steps,
            constrained=self.constrained,
        )

    @property
    def how(self) -> How:
        """How attempts are made: plainly, within the limits."""
        return How(max_tokens=self.max_tokens, max_seconds=self.max_seconds)

    def actors(self) -> tuple[str, ...]:
        """Everybody who acts, by name."""
        return ()

    def together(self, model: str) -> int:
        """Attempts this model or policy makes at the same time; those that need no model gain nothing by it."""
        return 1 if model in PLAIN_POLICIES else self.batch

    def plan(self) -> list[Task]:
        """The instances to try, the same for the same parameters.

        Raises:
            InvalidInputError: nothing fits, or calls are to be constrained and the schema of an offered tool does not allow it.
        """
        tasks = plan_tasks(self.split, self.tasks, categories=self.categories, templates=self.templates, seed=self.seed)
        if any(acting(name, self.sampling)[1].constrained for name in self.actors()):
            check_grammars(task.tools for task in tasks)
        return tasks
