"""Every address and method of the portal, and who may: an action of `registry/access/actions.py`, or a word below.

A route that is missing here, or an entry without a route, fails `test_role_table.py`. Paths are as Django writes them.
"""

from __future__ import annotations

PUBLIC = "public"  # also without signing in; says nothing about anybody's objects
SIGNED_IN = "signed in"  # one's own account, settled by django-allauth
LOCAL_OR_READ = "local or read"  # from this machine, or with a token that may read
STAFF = "staff"  # the back office

TABLE: dict[str, dict[str, str]] = {
    "healthz": {"GET": PUBLIC},
    "readyz": {"GET": PUBLIC},
    "metrics": {"GET": LOCAL_OR_READ},
    "favicon.ico": {"GET": PUBLIC},
    "theme": {"POST": PUBLIC},
    # --- API ---
    "api/schema": {"GET": PUBLIC},
    "api/docs": {"GET": PUBLIC},
    "api/v1/models": {"GET": "model.view", "POST": "model.create"},
    "api/v1/models/<str:name>": {"GET": "model.view", "PATCH": "model.edit", "DELETE": "model.delete"},
    "api/v1/models/<str:name>/versions": {"GET": "model.view", "POST": "version.upload"},
    "api/v1/models/<str:name>/versions/<int:number>": {"GET": "model.view", "PATCH": "version.edit"},
    "api/v1/models/<str:name>/versions/<int:number>/download": {"GET": "version.download"},
    "api/v1/models/<str:name>/aliases/<str:alias>": {"GET": "model.view", "PUT": "alias.set", "DELETE": "alias.set"},
    "api/v1/tokens": {"GET": "token.view", "POST": "token.create"},
    "api/v1/tokens/<int:token_id>": {"DELETE": "token.revoke"},
    "api/v1/audit": {"GET": "audit.view"},
    "api/v1/endpoints": {"GET": "endpoint.view", "POST": "endpoint.create"},
    "api/v1/endpoints/<str:slug>": {"GET": "endpoint.view", "PATCH": "endpoint.edit", "DELETE": "endpoint.delete"},
    "api/v1/endpoints/<str:slug>/split": {"GET": "endpoint.view", "PUT": "endpoint.deploy"},
    "api/v1/endpoints/<str:slug>/splits": {"GET": "endpoint.view"},
    "api/v1/endpoints/<str:slug>/promote": {"POST": "endpoint.deploy"},
    "api/v1/endpoints/<str:slug>/rollback": {"POST": "endpoint.deploy"},
    "api/v1/jobs": {"GET": "job.view", "POST": "job.submit"},
    "api/v1/jobs/<uuid:job_id>": {"GET": "job.view"},
    "api/v1/jobs/<uuid:job_id>/cancel": {"POST": "job.cancel"},
    "api/v1/jobs/<uuid:job_id>/output": {"GET": "job.download"},
    "api/v1/jobs/<uuid:job_id>/errors": {"GET": "job.download"},
    # --- V2 ---
    "^v2/?$": {"GET": PUBLIC},
    "v2/health/live": {"GET": PUBLIC},
    "v2/health/ready": {"GET": PUBLIC},
    "v2/models/<str:slug>": {"GET": "endpoint.predict"},
    "v2/models/<str:slug>/versions/<str:version>": {"GET": "endpoint.predict"},
    "v2/models/<str:slug>/ready": {"GET": "endpoint.predict"},
    "v2/models/<str:slug>/versions/<str:version>/ready": {"GET": "endpoint.predict"},
    "v2/models/<str:slug>/infer": {"POST": "endpoint.predict"},
    "v2/models/<str:slug>/versions/<str:version>/infer": {"POST": "endpoint.predict"},
    # --- pages ---
    "": {"GET": "model.view"},
    "find": {"GET": "model.view"},
    "models": {"GET": "model.view"},
    "models/upload": {"GET": "version.upload", "POST": "version.upload"},
    "models/<str:name>": {"GET": "model.view"},
    "models/<str:name>/edit": {"GET": "model.edit", "POST": "model.edit"},
    "models/<str:name>/versions/<int:number>": {"GET": "model.view"},
    "models/<str:name>/versions/<int:number>/validation": {"GET": "model.view"},
    "models/<str:name>/versions/<int:number>/aliases": {"POST": "alias.set"},
    "models/<str:name>/versions/<int:number>/aliases/<str:alias>/delete": {"POST": "alias.set"},
    "models/<str:name>/versions/<int:number>/try": {"GET": "endpoint.predict", "POST": "endpoint.predict"},
    "audit": {"GET": "audit.view"},
    "tokens": {"GET": "token.view", "POST": "token.create"},
    "tokens/<int:token_id>/revoke": {"GET": "token.revoke", "POST": "token.revoke"},
    "endpoints": {"GET": "endpoint.view", "POST": "endpoint.create"},
    "endpoints/<str:slug>": {"GET": "endpoint.view"},
    "endpoints/<str:slug>/promote": {"GET": "endpoint.deploy", "POST": "endpoint.deploy"},
    "endpoints/<str:slug>/split": {"GET": "endpoint.deploy", "POST": "endpoint.deploy"},
    "endpoints/<str:slug>/rollback": {"GET": "endpoint.deploy", "POST": "endpoint.deploy"},
    "endpoints/<str:slug>/delete": {"GET": "endpoint.delete", "POST": "endpoint.delete"},
    "jobs": {"GET": "job.view", "POST": "job.submit"},
    "jobs/<uuid:job_id>": {"GET": "job.view"},
    "jobs/<uuid:job_id>/progress": {"GET": "job.view"},
    "jobs/<uuid:job_id>/cancel": {"POST": "job.cancel"},
}

# Other people's code, which decides for itself; what it decides is crawled too.
ACCOUNTS: dict[str, str] = {
    "accounts/login/": PUBLIC,
    "accounts/logout/": PUBLIC,
    "accounts/inactive/": PUBLIC,
    "accounts/signup/": PUBLIC,
    "accounts/reauthenticate/": SIGNED_IN,
    "accounts/email/": SIGNED_IN,
    "accounts/confirm-email/": PUBLIC,
    "accounts/password/change/": SIGNED_IN,
    "accounts/password/set/": SIGNED_IN,
    "accounts/password/reset/": PUBLIC,
    "accounts/login/code/confirm/": PUBLIC,
    r"accounts/^confirm-email/(?P<key>[-:\w]+)/$": PUBLIC,
    "accounts/password/reset/key/done/": PUBLIC,
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": PUBLIC,
    "accounts/password/reset/done/": PUBLIC,
}
BACK_OFFICE = "admin/"
