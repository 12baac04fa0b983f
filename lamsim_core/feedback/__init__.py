"""Programmatic judgement: of every action, and of the attempt as a whole. Pure functions over frozen records."""

from lamsim_core.feedback.judge import Judge, judge_again
from lamsim_core.feedback.registry import Check, action_checks, final_checks

__all__ = ["Check", "Judge", "action_checks", "final_checks", "judge_again"]
