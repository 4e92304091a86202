"""A runbook as a Markdown page that a person can follow by hand: the same steps, the same criteria."""

from firstresponder.runbooks.page.occasion import Known, Occasion, Unusable, occasion_of
from firstresponder.runbooks.page.page import description, page

__all__ = ["Known", "Occasion", "Unusable", "description", "occasion_of", "page"]
