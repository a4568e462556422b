"""Turns filters and orders into queries, and cuts their results into pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from django.db.models import DateTimeField, F, Field, Func, Lookup, Model, Q, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput
from registry.mlflow.grammar import Clause, Name, Order, clauses, order
from registry.mlflow.said import Said
from registry.mlflow.tracking_entities import MOST_MILLISECONDS

Row = TypeVar("Row", bound=Model)
# Says by which expression a name is found, or None where there is no such name.
Expressions = Callable[[Name], Combinable | None]
COMPARED = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
PROMPT_TAG = "mlflow.prompt.is_prompt"
EPOCH = datetime.fromtimestamp(0, UTC)


class Like(Lookup):
    """SQL's own LIKE, with the caller's `%` and `_`."""

    lookup_name = "mlflow_like"
    word = "LIKE"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_values = self.process_lhs(compiler, connection)
        right, right_values = self.process_rhs(compiler, connection)
        return f"{left}::text {self.word} {right}", (*left_values, *right_values)


class ILike(Like):
    word = "ILIKE"


class _Milliseconds(Func):
    template = "date_trunc('milliseconds', %(expressions)s)"
    output_field = DateTimeField()


LIKES = {"LIKE": Like, "ILIKE": ILike}


def text_at(column: str, *keys: str) -> Combinable:
    """A text inside a JSON column. Django's own transform takes the key `1` for a place in a list."""
    path = [Value(key) for key in keys]
    return Func(F(column), *path, function="jsonb_extract_path_text", output_field=TextField())


def search(rows: QuerySet[Row], filter_text: str, expressions: Expressions) -> QuerySet[Row]:
    """Raises InvalidInput for names, operators and values that do not go together."""
    for at, clause in enumerate(clauses(filter_text)):
        expression = expressions(clause.name)
        if expression is None:
            raise InvalidInput(_("There is nothing to filter by “%(name)s”.") % {"name": clause.name.key})
        alias = f"filtered_{at}"
        rows = rows.alias(**{alias: expression})
        rows = _narrowed(rows, clause, alias)
    return rows


def _narrowed(rows: QuerySet[Row], clause: Clause, alias: str) -> QuerySet[Row]:
    operator, kind = clause.operator, _kind(rows.query.annotations[alias].output_field)
    if operator.startswith("IS"):
        return rows.filter(**{f"{alias}__isnull": operator == "IS NULL"})
    if operator in (LIKES if kind != "text" else COMPARED):
        raise _unfit(clause, kind)
    if operator in LIKES:
        return rows.filter(LIKES[operator](F(alias), clause.values[0]))
    if kind == "time":
        # MLflow's times have milliseconds, and only those are shown.
        rows = rows.alias(**{f"{alias}_ms": _Milliseconds(F(alias))})
        alias = f"{alias}_ms"
    return rows.filter(_condition(clause, alias, [_value(kind, text) for text in clause.values]))


def _condition(clause: Clause, alias: str, values: list[Any]) -> Q:
    operator = clause.operator
    if operator == "=":
        return Q(**{alias: values[0]})
    if operator == "!=":
        # What is no prompt has no such tag at all; the client always asks for those.
        missing = Q(**{f"{alias}__isnull": True})
        differs = ~Q(**{alias: values[0]})
        return differs | missing if clause.name.key == PROMPT_TAG else differs
    if operator in COMPARED:
        return Q(**{f"{alias}__{COMPARED[operator]}": values[0]})
    inside = Q(**{f"{alias}__in": values})
    return inside if operator == "IN" else ~inside


def _kind(field: Field[Any, Any]) -> str:
    """`text`, `time`, `whole` or `number`; of a reference that of what it refers to."""
    target = getattr(field, "target_field", field)
    kind = target.get_internal_type()
    if kind == "DateTimeField":
        return "time"
    if kind == "FloatField":
        return "number"
    return "whole" if kind.endswith(("IntegerField", "AutoField")) else "text"


def _value(kind: str, text: str) -> Any:
    """Raises InvalidInput for what is no number where one has to stand."""
    try:
        return READERS[kind](text)
    except ValueError:
        raise InvalidInput(_("“%(text)s” is no number that can stand here.") % {"text": text[:60]}) from None


def _moment(milliseconds: str) -> datetime:
    """The first or the last one that can be for what lies beyond."""
    return EPOCH + timedelta(milliseconds=min(max(int(milliseconds), 0), MOST_MILLISECONDS))


READERS: dict[str, Callable[[str], Any]] = {"text": str, "whole": int, "number": float, "time": _moment}


def _unfit(clause: Clause, kind: str) -> InvalidInput:
    what, fit = (_("text"), "=, !=, LIKE, ILIKE, IN") if kind == "text" else (_("a number"), "=, !=, <, <=, >, >=")
    return InvalidInput(
        _("“%(name)s” is %(what)s, which %(operator)s cannot compare: use one of %(fit)s.")
        % {"name": clause.name.key, "what": what, "operator": clause.operator, "fit": fit},
        details={"field": "filter"},
    )


def ordered(rows: QuerySet[Row], wanted: Sequence[Order], expressions: Expressions, last: str) -> QuerySet[Row]:
    """`last` decides where all else is equal, so that pages neither repeat nor skip a row."""
    names = []
    for at, item in enumerate(wanted):
        expression = expressions(item.name)
        if expression is None:
            raise InvalidInput(_("There is nothing to order by “%(name)s”.") % {"name": item.name.key})
        rows = rows.alias(**{f"ordered_{at}": expression})
        by = F(f"ordered_{at}")
        names.append(by.desc(nulls_last=True) if item.is_descending else by.asc(nulls_last=True))
    return rows.order_by(*names, last)


def orders(said: Said) -> list[Order]:
    return [order(text) for text in said.texts("order_by")[:10]]


def page(rows: QuerySet[Row], said: Said, *, default: int, most: int) -> tuple[list[Row], str]:
    """One page and the token of the next, empty at the end. Raises InvalidInput."""
    size = said.number("max_results", default)
    if not 0 < size <= most:
        raise InvalidInput(
            _("“max_results” has to be between 1 and %(most)s.") % {"most": most}, details={"field": "max_results"}
        )
    start = _start(said.text("page_token"))
    found = list(rows[start : start + size + 1])
    return found[:size], _token(start + size) if len(found) > size else ""


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(str(start).encode()).decode()


def _start(token: str) -> int:
    try:
        start = int(base64.urlsafe_b64decode(token.encode())) if token else 0
    except (binascii.Error, ValueError):
        start = -1
    if not 0 <= start < 10**9:
        raise InvalidInput(_("This page token is not one of ours."), details={"field": "page_token"})
    return start
