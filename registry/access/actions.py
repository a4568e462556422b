"""Who may do what, as data: each action's least role in the object's project, and the token scope that it needs."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.translation import gettext_lazy as _

ROLE_RANK: dict[str, int] = {"viewer": 1, "data_scientist": 2, "operator": 3, "owner": 4}

SCOPES: dict[str, object] = {
    "read": _("See models, endpoints, jobs and their history"),
    "predict": _("Send predictions to endpoints"),
    "upload": _("Register models and upload versions"),
    "jobs": _("Start, cancel and download batch jobs"),
    "deploy": _("Create endpoints and move their traffic"),
    "admin": _("Manage tokens and webhooks, read the audit record"),
}

SITE = "site"  # in place of a role: no project role is enough


class Rule(NamedTuple):
    role: str
    scope: str


ACTIONS: dict[str, Rule] = {
    "model.view": Rule("viewer", "read"),
    "version.download": Rule("viewer", "read"),
    "model.create": Rule("data_scientist", "upload"),
    "model.edit": Rule("data_scientist", "upload"),
    "model.delete": Rule("owner", "upload"),
    "version.upload": Rule("data_scientist", "upload"),
    "version.edit": Rule("data_scientist", "upload"),
    "version.archive": Rule("data_scientist", "upload"),
    "version.delete": Rule("owner", "upload"),
    "version.release": Rule("operator", "deploy"),
    "alias.set": Rule("data_scientist", "upload"),
    "golden.edit": Rule("data_scientist", "upload"),
    "golden.run": Rule("data_scientist", "upload"),
    "endpoint.view": Rule("viewer", "read"),
    "endpoint.predict": Rule("viewer", "predict"),
    "endpoint.create": Rule("operator", "deploy"),
    "endpoint.edit": Rule("operator", "deploy"),
    "endpoint.deploy": Rule("operator", "deploy"),
    "endpoint.delete": Rule("owner", "deploy"),
    "rollout.view": Rule("viewer", "read"),
    "rollout.operate": Rule("operator", "deploy"),
    "experiment.view": Rule("viewer", "read"),
    "experiment.operate": Rule("operator", "deploy"),
    "replay.run": Rule("operator", "deploy"),
    "capture.view": Rule("operator", "read"),
    "outcome.report": Rule("viewer", "predict"),
    "job.view": Rule("viewer", "read"),
    "job.download": Rule("viewer", "jobs"),
    "job.submit": Rule("data_scientist", "jobs"),
    "job.cancel": Rule("data_scientist", "jobs"),
    "project.view": Rule("viewer", "read"),
    "project.edit": Rule("owner", "admin"),
    "audit.view": Rule("owner", "admin"),
    "audit.view_all": Rule(SITE, "admin"),
    "webhook.view": Rule("owner", "admin"),
    "webhook.manage": Rule("owner", "admin"),
    # One's own tokens and keys: no project is asked, so every signed-in person may.
    "token.view": Rule("", "admin"),
    "token.create": Rule("", "admin"),
    "token.revoke": Rule("", "admin"),
    "signing_key.view": Rule("", "read"),
    "signing_key.view_portal": Rule("", "read"),
    "signing_key.add": Rule("", "admin"),
    "signing_key.revoke": Rule("", "admin"),
}
