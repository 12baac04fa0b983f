"""A proof of the feedback by mutation, on the real path, as raw replies.

Every kind of error is put at every place of the reference solutions and must be found there; legal variation must not be
punished; cheats must not pass.
"""

from lamsim_core.explore.proof.report import prove
from lamsim_core.explore.proof.results import ProofReport

__all__ = ["ProofReport", "prove"]
