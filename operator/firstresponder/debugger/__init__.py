"""Root-cause analysis: reads what triage saw and says more about the cause. It has no way to any action."""

from firstresponder.debugger.analyst import Analyst, Case
from firstresponder.debugger.from_evidence import FromEvidence

ANALYST: Analyst = FromEvidence()
"""The analyst that is asked; another one takes its place here."""

__all__ = ["ANALYST", "Analyst", "Case", "FromEvidence"]
