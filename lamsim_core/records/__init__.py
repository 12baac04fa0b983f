"""The frozen records: whatever is stored, sent between processes or shown is one of these.

They hold data and no behaviour beyond what can be computed from themselves. "Not scored" is None: never 0, never a
pass. NaN is refused.
"""

from lamsim_core.records.attempt import (
    Observation,
    Parent,
    PolicyInfo,
    Sampling,
    Step,
    ToolCall,
    Trajectory,
    Usage,
    Verdict,
)
from lamsim_core.records.base import (
    Blame,
    Ending,
    ErrorClass,
    FaultKind,
    Outcome,
    PolicyKind,
    Record,
    Row,
    Split,
    TaskKind,
)
from lamsim_core.records.curation import (
    Adapter,
    Comparison,
    Dataset,
    Evaluation,
    EvaluationRow,
    HeldOutSplit,
    Keep,
    Mark,
    OutsideRef,
    Recipe,
    Selection,
)
from lamsim_core.records.review import Rejudgement, Rescore, Review, ReviewAnswer, VerdictChange
from lamsim_core.records.task import ExpectedAnswer, GoldCall, RowChange, Task, ToolBinding, ToolSchema

__all__ = [
    "Adapter",
    "Blame",
    "Comparison",
    "Dataset",
    "Ending",
    "ErrorClass",
    "Evaluation",
    "EvaluationRow",
    "ExpectedAnswer",
    "FaultKind",
    "GoldCall",
    "HeldOutSplit",
    "Keep",
    "Mark",
    "Observation",
    "Outcome",
    "OutsideRef",
    "Parent",
    "PolicyInfo",
    "PolicyKind",
    "Recipe",
    "Record",
    "Rejudgement",
    "Rescore",
    "Review",
    "ReviewAnswer",
    "Row",
    "RowChange",
    "Sampling",
    "Selection",
    "Split",
    "Step",
    "Task",
    "TaskKind",
    "ToolBinding",
    "ToolCall",
    "ToolSchema",
    "Trajectory",
    "Usage",
    "Verdict",
    "VerdictChange",
]
