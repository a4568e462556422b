"""The same `Idempotency-Key` gets the same answer, and the act happens once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from typing import Any

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from inference.models import Command
from portal.lib.errors import Conflict, InvalidInput

MAX_KEY = 255
# Whoever began and was killed does not block the key for ever.
GIVEN_UP_AFTER = timedelta(minutes=1)
Method = Callable[..., Response]


def once(method: Method) -> Method:
    """For a view's method; without the header it is called as ever. A refusal is not kept: it may be tried again."""

    @wraps(method)
    def wrapped(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            return method(self, request, *args, **kwargs)
        command, fresh = _begin(self.principal.user_id, request, _checked(key))
        if not fresh:
            return _again(command)
        try:
            response = method(self, request, *args, **kwargs)
        except BaseException:
            command.delete()
            raise
        command.status, command.body = response.status_code, orjson.loads(orjson.dumps(response.data, default=str))
        command.save(update_fields=["status", "body"])
        return response

    return wrapped


def _checked(key: str) -> str:
    if len(key) > MAX_KEY or not key.isprintable():
        raise InvalidInput(
            _("An Idempotency-Key has 1 to %(n)s printable characters.") % {"n": MAX_KEY},
            code="invalid_idempotency_key",
        )
    return key


def _begin(user_id: int | None, request: Request, key: str) -> tuple[Command, bool]:
    """(the command, whether it is ours to do)."""
    digest = sha256(orjson.dumps(request.data, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()
    path = f"{request.method} {request.path}"[:300]
    Command.objects.filter(status=None, created_at__lt=timezone.now() - GIVEN_UP_AFTER).delete()
    try:
        with transaction.atomic():
            return Command.objects.create(actor_id=user_id, path=path, key=key, digest=digest), True
    except IntegrityError:
        command = Command.objects.filter(actor_id=user_id, path=path, key=key).first()
    if command is None:
        raise _busy()
    if command.digest != digest:
        raise Conflict(
            _("This Idempotency-Key was used for another request: take a new one."), code="idempotency_key_reused"
        )
    return command, False


def _again(command: Command) -> Response:
    if command.status is None:
        raise _busy()
    return Response(command.body, status=command.status)


def _busy() -> Conflict:
    return Conflict(
        _("The same request is being worked on: ask again in a moment."), code="request_in_progress", retry_after=1
    )
