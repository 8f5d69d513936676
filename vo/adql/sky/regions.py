"""Shapes that have a text form beside them: a region column is answered by it, so that it need not be made anew."""

from __future__ import annotations

from dataclasses import replace

from vo.adql.kinds import SHAPES, Type
from vo.adql.plan import Choice, ColumnValue, Constant, Expression


def text_form(shape: Expression) -> Expression | None:
    """The text that stands for a shape: of a region column, or of a CASE that chooses between region columns.

    None when the shape, or one that may be chosen, has none.
    """
    if isinstance(shape, ColumnValue) and shape.output.text is not None:
        text = replace(shape.output, sql=shape.output.text, type=Type.TEXT, text=None, column=None)
        return ColumnValue(shape.relation, text)
    if not isinstance(shape, Choice) or shape.type not in SHAPES:
        return None
    forms = [_form_or_null(value) for value in (*shape.values, shape.otherwise)]
    if all(isinstance(form, Constant) for form in forms):
        return None
    known = tuple(form for form in forms if form is not None)
    if len(known) < len(forms):
        return None
    return Choice(Type.TEXT, shape.operand, shape.tests, known[:-1], known[-1])


def _form_or_null(shape: Expression) -> Expression | None:
    is_null = isinstance(shape, Constant) and shape.value is None
    return Constant(Type.TEXT, None) if is_null else text_form(shape)
