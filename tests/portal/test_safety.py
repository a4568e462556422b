"""Headers, cookies, health and the limits of the settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.management import call_command
from django.test import Client

from portal import checks
from portal.env import celery_broker_url, read_secret_files
from registry.models import User
from tests import factories


def test_page__headers__strict(db: None, client: Client) -> None:
    answer = client.get("/accounts/login/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "unsafe-eval" not in policy


def test_cookies__not_readable_by_scripts() -> None:
    assert configured.SESSION_COOKIE_HTTPONLY
    assert configured.CSRF_COOKIE_HTTPONLY
    assert configured.SESSION_COOKIE_SAMESITE == configured.CSRF_COOKIE_SAMESITE == "Lax"


def test_session__without_csrf_token__refused_at_api_and_pages(db: None) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.make_user("alice", "operator"), "django.contrib.auth.backends.ModelBackend")
    api = client.post("/api/v1/models", {"name": "x"}, content_type="application/json")
    page = client.post("/tokens", {"name": "x"})
    assert (api.status_code, page.status_code) == (403, 403)
    assert api.json()["error"]["code"] == "not_allowed"


def test_sign_in__session_id__changes(db: None, client: Client) -> None:
    factories.make_user("alice", "operator", password=factories.PASSWORD)
    client.get("/accounts/login/")
    before = client.cookies.get("sessionid")
    answer = client.post("/accounts/login/", {"login": "alice", "password": factories.PASSWORD})
    assert answer.status_code == 302
    assert before is None or client.cookies["sessionid"].value != before.value


def test_sign_up__closed(db: None, client: Client) -> None:
    answer = client.post("/accounts/signup/", {"username": "eve", "password1": "a-long-passw0rd"})
    assert answer.status_code in (200, 302, 403)
    assert not User.objects.filter(username="eve").exists()


def test_foreign_host__refused(db: None, client: Client) -> None:
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 400


def test_metrics__from_elsewhere__only_with_a_token_that_may_read(db: None, client: Client) -> None:
    reader = factories.token_for(factories.make_user("alice", "viewer"), "read")[1]
    predictor = factories.token_for(factories.make_user("bob", "viewer"), "predict")[1]
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="10.0.0.9").status_code == 401
    assert client.get("/metrics", headers={"X-Forwarded-For": "10.0.0.9"}).status_code == 401
    for token, status in ((reader, 200), (predictor, 401)):
        answer = client.get("/metrics", REMOTE_ADDR="10.0.0.9", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status


def test_readyz__before_the_routing_is_known__503(db: None, client: Client, serving: Any) -> None:
    assert client.get("/readyz").status_code == 503
    serving()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "checks": {"database": True, "routing": True}})


def test_deploy_check__with_https__clean(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DJANGO_ALLOW_ASYNC_UNSAFE", raising=False)  # tests/parallel.py sets it
    settings.HTTPS = settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    call_command("check", "--deploy", "--fail-level", "WARNING", verbosity=0)


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_checks__bad_settings__named_with_a_remedy(settings: Any) -> None:
    settings.SECRET_KEY, settings.PORTAL_LEASE_SECONDS, settings.HTTPS = "short", 0, False
    settings.DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3"}}
    said = [
        message
        for check in (
            checks.check_secret_key,
            checks.check_limits,
            checks.check_https,
            checks.check_database_is_postgresql,
        )
        for message in check()
    ]
    assert [message.id for message in said] == ["portal.E001", "portal.E002", "portal.W001", "portal.E003"]
    assert all(message.hint for message in said)
    assert "PORTAL_LEASE_SECONDS" in said[1].msg


def test_secret_files__x_file__read_unless_x_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from-the-file\n")
    monkeypatch.setenv("SOME_SECRET_FILE", str(file))
    monkeypatch.delenv("SOME_SECRET", raising=False)
    read_secret_files(("SOME_SECRET",))
    assert os.environ.pop("SOME_SECRET") == "from-the-file"
    monkeypatch.setenv("SOME_SECRET", "given")
    read_secret_files(("SOME_SECRET",))
    assert os.environ["SOME_SECRET"] == "given"


def test_broker_url__unix_socket__kombus_words() -> None:
    assert celery_broker_url("unix:///tmp/v.sock?db=0") == "redis+socket:///tmp/v.sock?virtual_host=0"
    assert celery_broker_url("redis://host:6379/1") == "redis://host:6379/1"
