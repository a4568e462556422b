"""Every role x every action, and what scopes and endpoint lists take away from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from portal.lib.errors import NotAllowed, NotAuthenticated, NotFound
from registry.access import policy
from registry.access.actions import ACTIONS, ROLE_RANK, SCOPES, SITE
from registry.access.principal import ANONYMOUS, SYSTEM, Principal

HERE, ELSEWHERE = 1, 2
VIEWER = {
    "model.view", "version.download", "endpoint.view", "endpoint.predict", "rollout.view", "experiment.view",
    "outcome.report", "job.view", "job.download", "project.view",
}  # fmt: skip
SCIENTIST = VIEWER | {
    "model.create", "model.edit", "version.upload", "version.edit", "alias.set", "job.submit", "job.cancel",
    "version.archive", "golden.edit", "golden.run",
}  # fmt: skip
OPERATOR = SCIENTIST | {
    "endpoint.create", "endpoint.edit", "endpoint.deploy", "version.release", "rollout.operate", "experiment.operate",
    "replay.run", "capture.view",
}  # fmt: skip
OWNER = OPERATOR | {
    "model.delete", "version.delete", "endpoint.delete", "project.edit", "audit.view", "webhook.view", "webhook.manage",
}  # fmt: skip
PERMITTED = {"viewer": VIEWER, "data_scientist": SCIENTIST, "operator": OPERATOR, "owner": OWNER}
OWN = {
    "token.view", "token.create", "token.revoke",
    "signing_key.view", "signing_key.view_portal", "signing_key.add", "signing_key.revoke",
}  # fmt: skip


def member(role: str) -> Principal:
    return Principal(7, role, roles={HERE: role})


@pytest.mark.parametrize("role", ROLE_RANK)
def test_can__each_role__exactly_its_actions(role: str) -> None:
    who = member(role)
    assert {action for action in ACTIONS if policy.can(who, action, HERE)} == PERMITTED[role] | OWN
    assert {action for action in ACTIONS if policy.can(who, action, ELSEWHERE)} == OWN
    assert {action for action in ACTIONS if policy.can(who, action)} == OWN


def test_can__outsider_auditor_superuser_anonymous__as_the_words_say() -> None:
    outsider = Principal(7, "charlie")
    assert {action for action in ACTIONS if policy.can(outsider, action, HERE)} == OWN
    auditor = replace(outsider, is_auditor=True)
    site_wide = {action for action, rule in ACTIONS.items() if rule.role == SITE}
    assert {action for action in ACTIONS if policy.can(auditor, action, HERE)} == OWN | site_wide
    assert all(policy.can(replace(outsider, is_superuser=True), action, HERE) for action in ACTIONS)
    assert all(policy.can(SYSTEM, action, HERE) for action in ACTIONS)
    assert not any(policy.can(ANONYMOUS, action, HERE) for action in ACTIONS)


@pytest.mark.parametrize("scope", SCOPES)
def test_can__one_scope__only_actions_of_that_scope(scope: str) -> None:
    narrow = replace(member("owner"), scopes=frozenset({scope}))
    permitted = {action for action in ACTIONS if policy.can(narrow, action, HERE)}
    assert permitted == {action for action in OWNER | OWN if ACTIONS[action].scope == scope}


def test_can__unknown_role__nothing() -> None:
    assert {action for action in ACTIONS if policy.can(member("emperor"), action, HERE)} == OWN


def test_require__each_denial__its_own_error() -> None:
    with pytest.raises(NotAuthenticated):
        policy.require(ANONYMOUS, "model.view", HERE)
    with pytest.raises(NotFound):
        policy.require(member("owner"), "model.view", ELSEWHERE)
    with pytest.raises(NotAllowed) as role:
        policy.require(member("viewer"), "model.edit", HERE)
    assert role.value.details == {"action": "model.edit", "role": "data_scientist"}
    with pytest.raises(NotAllowed) as scope:
        policy.require(replace(member("owner"), scopes=frozenset({"read"})), "model.edit", HERE)
    assert (scope.value.code, scope.value.details) == ("missing_scope", {"scope": "upload"})


def test_require__stranger_without_scope__learns_only_that_nothing_is_there() -> None:
    with pytest.raises(NotFound):
        policy.require(Principal(7, "charlie", scopes=frozenset({"read"})), "model.edit", HERE)


def test_require_endpoint__not_in_the_tokens_list__not_found() -> None:
    listed = replace(member("owner"), scopes=frozenset(SCOPES), endpoints=frozenset({"iris"}))
    policy.require_endpoint(listed, "endpoint.deploy", HERE, "iris")
    with pytest.raises(NotFound):
        policy.require_endpoint(listed, "endpoint.deploy", HERE, "other")
