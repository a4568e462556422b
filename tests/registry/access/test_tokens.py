"""What a token stands for: its owner's rights of this moment, narrowed, and for a while."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.lib.errors import InvalidInput, NotAllowed, NotFound
from registry.access.principal import principal_of_user
from registry.access.tokens import note_use, principal_of_token, principals_of_digests
from registry.models import ApiToken, AuditEvent, Membership
from registry.services.tokens import create_token, revoke_token
from tests import factories

pytestmark = pytest.mark.django_db


def test_create_token__secret__shown_once_and_only_its_digest_kept() -> None:
    user = factories.make_user("alice", "operator")
    row, secret = factories.token_for(user, "read")
    assert secret.startswith(f"swy_{row.prefix}_")
    assert len(secret) == 4 + 8 + 1 + 43
    assert row.digest == hashlib.sha256(secret.encode()).hexdigest()
    stored = ApiToken.objects.filter(pk=row.pk).values().get()
    assert not any(secret in str(value) for value in stored.values())
    assert secret.split("_", 2)[2] not in str(list(AuditEvent.objects.values()))


def test_principal_of_token__live_token__owners_rights_narrowed() -> None:
    user = factories.make_user("alice", "operator")
    row, secret = factories.token_for(user, "read", "deploy", endpoints=("iris",))
    who = principal_of_token(secret)
    assert who is not None
    assert (who.user_id, who.name, who.token_prefix) == (user.pk, "alice", row.prefix)
    assert who.scopes == {"read", "deploy"}
    assert who.endpoints == {"iris"}
    assert who.roles == {factories.make_project().pk: "operator"}


@pytest.mark.parametrize("end", ["expired", "revoked", "inactive"])
def test_principal_of_token__ended__nobody(end: str) -> None:
    user = factories.make_user("alice", "operator")
    row, secret = factories.token_for(user)
    now = timezone.now()
    if end == "inactive":
        type(user).objects.filter(pk=user.pk).update(is_active=False)
    else:
        changes = {"expires_at": now} if end == "expired" else {"revoked_at": now}
        ApiToken.objects.filter(pk=row.pk).update(**changes)
    assert principal_of_token(secret) is None


def test_principal_of_token__membership_changed__follows_at_once() -> None:
    user = factories.make_user("alice", "operator")
    _row, secret = factories.token_for(user)
    Membership.objects.filter(user=user).update(role="viewer")
    assert set(principal_of_token(secret).roles.values()) == {"viewer"}  # type: ignore[union-attr]
    Membership.objects.filter(user=user).delete()
    assert principal_of_token(secret).roles == {}  # type: ignore[union-attr]


@pytest.mark.parametrize("token", ["", "swy_", "swy_aaaaaaaa_", "x" * 10_000, "swy_\x00", "ü"])
def test_principal_of_token__nonsense__nobody(token: str) -> None:
    assert principal_of_token(token) is None


def test_principals_of_digests__many_tokens__three_queries(django_assert_num_queries: object) -> None:
    secrets = [factories.token_for(factories.make_user(f"user-{number}", "viewer"))[0].digest for number in range(5)]
    with django_assert_num_queries(3):  # type: ignore[operator]
        assert set(principals_of_digests(secrets)) == set(secrets)


def test_note_use__within_a_minute__written_once() -> None:
    row, _secret = factories.token_for(factories.make_user("alice", "viewer"))
    note_use([row.digest])
    first = ApiToken.objects.get(pk=row.pk).last_used_at
    note_use([row.digest])
    assert first is not None
    assert ApiToken.objects.get(pk=row.pk).last_used_at == first


def test_create_token__by_a_narrower_token__never_beyond_it() -> None:
    user = factories.make_user("alice", "operator")
    narrow = principal_of_token(factories.token_for(user, "admin", "read", endpoints=("iris",))[1])
    assert narrow is not None
    before = ApiToken.objects.count()
    for scopes, endpoints in ((["deploy"], ["iris"]), (["read"], None), (["read"], ["iris", "other"])):
        with pytest.raises(NotAllowed):
            create_token(narrow, owner=user, name="more", scopes=scopes, endpoints=endpoints)
    assert ApiToken.objects.count() == before
    row, _secret = create_token(narrow, owner=user, name="less", scopes=["read"], endpoints=["iris"])
    assert (row.scopes, row.endpoints) == (["read"], ["iris"])


@pytest.mark.parametrize(
    "facts",
    [{"name": " "}, {"name": "x" * 101}, {"scopes": []}, {"scopes": ["root"]}, {"days": 0}, {"days": 3651}],
    ids=str,
)
def test_create_token__bad_facts__refused_and_nothing_written(facts: dict[str, object]) -> None:
    user = factories.make_user("alice", "operator")
    with pytest.raises(InvalidInput):
        create_token(principal_of_user(user), owner=user, **{"name": "x", "scopes": ["read"], **facts})  # type: ignore[arg-type]
    assert not ApiToken.objects.exists()
    assert not AuditEvent.objects.filter(action="token.created").exists()


def test_create_token__days__default_ninety() -> None:
    row, _secret = factories.token_for(factories.make_user("alice", "operator"))
    assert timedelta(days=89, hours=23) < row.expires_at - timezone.now() <= timedelta(days=90)


def test_revoke_token__own_and_foreign__own_only_and_once() -> None:
    alice, bob = factories.make_user("alice", "operator"), factories.make_user("bob", "owner")
    row, secret = factories.token_for(alice)
    with pytest.raises(NotFound):
        revoke_token(principal_of_user(bob), row.pk)
    assert principal_of_token(secret) is not None
    revoke_token(principal_of_user(alice), row.pk)
    revoke_token(principal_of_user(alice), row.pk)
    assert principal_of_token(secret) is None
    assert AuditEvent.objects.filter(action="token.revoked").count() == 1
