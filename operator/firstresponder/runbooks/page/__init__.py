"""A runbook as a Markdown page that a person can follow by hand: the same steps, the same criteria."""

from firstresponder.runbooks.page.page import description, page
from firstresponder.runbooks.page.render_context import KnownHost, RenderContext, Unusable, render_context

__all__ = ["KnownHost", "RenderContext", "Unusable", "description", "page", "render_context"]
