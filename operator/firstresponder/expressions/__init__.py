"""CEL: check, explain, evaluate to true, false or unknown; and the ``$(path)`` templates alongside it."""

from firstresponder.expressions.complaint import ExpressionError
from firstresponder.expressions.cost import MAX_COST
from firstresponder.expressions.expression import (
    RESERVED_NAMES,
    TOO_COSTLY,
    Expression,
    Result,
    Verdict,
    compile_condition,
    compile_expression,
)
from firstresponder.expressions.fill import fill
from firstresponder.expressions.scope import Scope, resolve_variables
from firstresponder.expressions.template import (
    ForbiddenValue,
    MissingValue,
    TemplateError,
    render_argument,
    render_text,
    template_references,
)
from firstresponder.expressions.tree import Comparison
from firstresponder.expressions.witness import witnesses

__all__ = [
    "MAX_COST",
    "RESERVED_NAMES",
    "TOO_COSTLY",
    "Comparison",
    "Expression",
    "ExpressionError",
    "ForbiddenValue",
    "MissingValue",
    "Result",
    "Scope",
    "TemplateError",
    "Verdict",
    "compile_condition",
    "compile_expression",
    "fill",
    "render_argument",
    "render_text",
    "resolve_variables",
    "template_references",
    "witnesses",
]
