"""The error tree, mapped to HTTP once: status, code and shape by where the request went."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, UnreadablePostError
from django.test import Client, RequestFactory
from rest_framework import exceptions

from portal import failures
from portal.api import as_portal_error, json_error
from portal.lib import errors
from tests import factories

TREE = {
    errors.PortalError: (500, "internal"),
    errors.InvalidInput: (400, "invalid_input"),
    errors.NotAuthenticated: (401, "not_authenticated"),
    errors.NotAllowed: (403, "not_allowed"),
    errors.NotFound: (404, "not_found"),
    errors.Conflict: (409, "conflict"),
    errors.TooLarge: (413, "too_large"),
    errors.UnsupportedMedia: (415, "unsupported_media_type"),
    errors.Unprocessable: (422, "unprocessable"),
    errors.TooManyRequests: (429, "too_many_requests"),
    errors.Unavailable: (503, "unavailable"),
    errors.DeadlineExceeded: (504, "deadline_exceeded"),
}
FOREIGN: list[tuple[Exception, int]] = [
    (exceptions.ValidationError({"name": ["Too long."]}), 400),
    (exceptions.ParseError("bad"), 400),
    (exceptions.NotAuthenticated(), 401),
    (exceptions.AuthenticationFailed(), 401),
    (exceptions.PermissionDenied(), 403),
    (PermissionDenied(), 403),
    (exceptions.NotFound(), 404),
    (Http404(), 404),
    (exceptions.MethodNotAllowed("PUT"), 405),
    (exceptions.NotAcceptable(), 406),
    (RequestDataTooBig(), 413),
    (exceptions.UnsupportedMediaType("text/csv"), 415),
    (exceptions.Throttled(), 429),
    (SuspiciousOperation("host"), 400),
    (UnreadablePostError("gone"), 400),
]


def request(path: str) -> Any:
    made = RequestFactory().get(path)
    made.request_id = "id-1"  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_json_error__each_of_the_tree__status_and_both_shapes(kind: type[errors.PortalError]) -> None:
    status, code = TREE[kind]
    error = kind("One sentence.", details={"field": "x"}, retry_after=3)
    management, v2 = json_error(request("/api/v1/models"), error), json_error(request("/v2/models/x"), error)
    assert (management.status_code, v2.status_code) == (status, status)
    assert json.loads(management.content) == {
        "error": {"code": code, "message": "One sentence.", "details": {"field": "x"}, "request_id": "id-1"}
    }
    assert json.loads(v2.content) == {"error": "One sentence.", "code": code, "request_id": "id-1"}
    assert management.headers["Retry-After"] == v2.headers["Retry-After"] == "3"
    assert ("WWW-Authenticate" in management.headers) is (status == 401)


def test_tree__every_class__is_in_the_table_above() -> None:
    assert set(TREE) == {
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)
    }


@pytest.mark.parametrize(("error", "status"), FOREIGN, ids=lambda value: type(value).__name__)
def test_as_portal_error__djangos_and_drfs__the_same_of_ours(error: Exception, status: int) -> None:
    ours = as_portal_error(error)
    assert ours is not None
    assert ours.status == status
    assert str(ours)


def test_as_portal_error__nested_validation__first_sentence_with_its_field() -> None:
    nested = exceptions.ValidationError({"shares": [{"weight_bp": ["A valid integer is required."]}]})
    assert str(as_portal_error(nested)) == "weight_bp: A valid integer is required."
    general = exceptions.ValidationError({"non_field_errors": ["These do not fit together."]})
    assert str(as_portal_error(general)) == "These do not fit together."


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), ZeroDivisionError()])
def test_as_portal_error__our_own_fault__none(error: Exception) -> None:
    assert as_portal_error(error) is None


@pytest.mark.parametrize(("path", "shape"), [("/api/v1/x", dict), ("/v2/x", str)])
def test_failures__outside_views__json_below_the_apis(path: str, shape: type) -> None:
    for answer, status in (
        (failures.bad_request(request(path), Exception("secret")), 400),
        (failures.forbidden(request(path), Exception("secret")), 403),
        (failures.not_found(request(path), Exception("secret")), 404),
        (failures.server_error(request(path)), 500),
        (failures.csrf_failed(request(path)), 403),
    ):
        assert answer.status_code == status
        assert isinstance(json.loads(answer.content)["error"], shape)
        assert b"secret" not in answer.content


def test_our_own_fault__api__500_with_a_request_id_and_nothing_told(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("/srv/secret/path")

    monkeypatch.setattr("registry.selectors.models_for", fail)
    _row, secret = factories.token_for(factories.make_user("alice", "viewer"))
    headers = {"Authorization": f"Bearer {secret}", "X-Request-Id": "find-me"}
    answer = Client(raise_request_exception=False).get("/api/v1/models", headers=headers)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert answer.json()["error"]["request_id"] == "find-me"
    assert b"secret" not in answer.content


@pytest.mark.parametrize("path", ["/no-such-page", "/models/no-such"])
def test_page__missing__a_page_not_json(db: None, client: Client, path: str) -> None:
    client.force_login(factories.make_user("alice", "viewer"), "django.contrib.auth.backends.ModelBackend")
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


def test_method__not_answered__405_and_json(db: None, client: Client) -> None:
    _row, secret = factories.token_for(factories.make_user("alice", "viewer"))
    answer = client.put("/api/v1/models", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code in (403, 405)
    assert set(answer.json()) == {"error"}
