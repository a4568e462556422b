"""The role table against the routes, then each route x method x principal x own or missing object against the table."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from inference.models import Endpoint
from registry.access.actions import ACTIONS, ROLE_RANK, SCOPES
from registry.models import ModelAlias, User
from registry.pages.graph import NETRON
from tests import factories
from tests.contracts import mlflow_table
from tests.contracts.role_bodies import BODIES, FILES, FORMS, QUERIES
from tests.contracts.role_table import ACCOUNTS, BACK_OFFICE, LOCAL_OR_READ, PUBLIC, SIGNED_IN, TABLE
from tests.contracts.routes import Route, routes


def own_routes() -> list[Route]:
    return [route for route in routes() if not route.path.startswith((BACK_OFFICE, "accounts/"))]


# --- table against routes ---------------------------------------------------------------------------------------------


def test_table__paths__equal_those_of_the_resolver() -> None:
    assert {route.path for route in own_routes()} == set(TABLE)
    assert {route.path for route in routes() if route.path.startswith("accounts/")} == set(ACCOUNTS)


def test_table__actions__equal_those_of_the_views() -> None:
    said = {route.path: route.actions for route in own_routes() if route.actions}
    in_table = {
        path: {method: "" if action == PUBLIC else action for method, action in row.items()}
        for path, row in TABLE.items()
        if path in said
    }
    assert said == in_table


def test_table__methods__equal_those_of_the_views() -> None:
    redirects = {"favicon.ico"}  # Django's RedirectView answers each method with the same redirect.
    seen = {route.path: route.methods for route in own_routes() if route.methods and route.path not in redirects}
    assert seen == {path: set(TABLE[path]) for path in seen}


def test_table__words__are_known() -> None:
    words = {action for row in TABLE.values() for action in row.values()}
    assert words <= {*ACTIONS, PUBLIC, LOCAL_OR_READ}
    assert set(ACTIONS) - words <= {"audit.view_all"}


def test_views__without_actions__are_the_public_ones_only() -> None:
    silent = {route.path for route in own_routes() if not route.actions}
    assert {word for path in silent for word in TABLE[path].values()} <= {PUBLIC, LOCAL_OR_READ}


# --- the crawl --------------------------------------------------------------------------------------------------------


class Who(NamedTuple):
    """`rank` is the role's in the project of the objects, 0 for none; `scopes` None for a session."""

    name: str
    rank: int = 0
    superuser: bool = False
    auditor: bool = False
    scopes: frozenset[str] | None = None
    owns_token: bool = False


ALL = frozenset(SCOPES)
PEOPLE = [
    Who("charlie", scopes=ALL),
    Who("bob", rank=1, scopes=ALL),
    Who("dora", rank=2, scopes=ALL),
    Who("alice", rank=3, scopes=ALL),
    Who("olga", rank=4, scopes=ALL, owns_token=True),
    Who("arthur", auditor=True, scopes=ALL),
    Who("root", superuser=True, scopes=ALL),
    *(Who("olga", rank=4, scopes=frozenset({scope}), owns_token=True) for scope in SCOPES),
]
NAMES = {rank: role for role, rank in ROLE_RANK.items()}


class World(NamedTuple):
    """One of everything, in the project `default`."""

    users: dict[str, User]
    endpoint: Endpoint
    parts: dict[str, Any]
    missing: dict[str, Any]


@pytest.fixture
def world(db: None, serving: Callable[[], None], settings: Any) -> World:
    users = {
        who.name: factories.make_user(who.name, NAMES.get(who.rank), is_superuser=who.superuser, is_staff=who.superuser)
        for who in {who.name: who for who in PEOPLE}.values()
        if not who.auditor
    }
    users["arthur"] = factories.make_auditor("arthur")
    endpoint = factories.make_endpoint("e", promoted=1)
    endpoint = factories.split(endpoint, 2000)
    version = factories.version_of(endpoint, 1)
    ModelAlias.objects.create(model=version.model, name="champion", version=version)
    job = factories.make_job(version, endpoint, users["alice"])
    token, _secret = factories.token_for(users["olga"])
    delivery = factories.make_delivery()
    rollout = factories.make_rollout(factories.make_endpoint("r"))
    experiment = factories.make_experiment(factories.make_endpoint("x"))
    golden = factories.make_golden(version.model)
    # So that a promotion has nobody to wait for.
    for number in (1, 2):
        factories.make_golden_run(factories.version_of(endpoint, number))
    serving()
    tracked, untracked = mlflow_table.make_world()
    parts = {
        **tracked,
        "name": "e",
        "project": "default",
        "number": 1,
        "alias": "champion",
        "slug": "e",
        "version": "1",
        "job_id": job.pk,
        "token_id": token.pk,
        "key_id": factories.make_signing_key(users["olga"]).pk,
        "upload_id": factories.make_upload(users["olga"]).pk,
        "rollout_id": rollout.pk,
        "disagreement_id": factories.make_disagreement(rollout).pk,
        "experiment_id": experiment.pk,
        "record_id": factories.make_record(endpoint).pk,
        "golden_id": golden.pk,
        "replay_id": factories.make_replay(endpoint).pk,
        "import_id": factories.make_import(endpoint).key,
        "webhook_id": delivery.webhook_id,
        "delivery_id": delivery.pk,
        "release": NETRON,
        "file": "rules.css",
    }
    missing = {
        **untracked,
        "name": "no",
        "project": "no",
        "number": 99,
        "alias": "no",
        "slug": "no",
        "version": "1",
        "job_id": uuid.uuid4(),
        "token_id": 9**9,
        "key_id": 9**9,
        "upload_id": uuid.uuid4(),
        "rollout_id": 9**9,
        "disagreement_id": 9**9,
        "experiment_id": 9**9,
        "record_id": 9**9,
        "golden_id": 9**9,
        "replay_id": 9**9,
        "import_id": uuid.uuid4(),
        "webhook_id": 9**9,
        "delivery_id": 9**9,
        "release": "0",
        "file": "no.js",
    }
    return World(users, endpoint, parts, missing)


def fill(path: str, parts: dict[str, Any]) -> str:
    for word, value in parts.items():
        for kind in ("str", "int", "uuid", "path"):
            path = path.replace(f"<{kind}:{word}>", str(value))
    return "/" + path.strip("^").replace("/?$", "")


def query(name: str, parts: dict[str, Any]) -> str:
    """What a route needs in its query. MLflow names its objects there."""
    if name in QUERIES:
        return QUERIES[name]
    words = mlflow_table.QUERIES.get(name, ())
    named = {**parts, **{word: parts[f"mlflow_{word}"] for word in words if f"mlflow_{word}" in parts}}
    said = {word: "model.onnx" if word == "path" else named[word] for word in words}
    return f"?{urlencode(said)}" if said else ""


def ask(client: Client, method: str, path: str, parts: dict[str, Any], headers: dict[str, str]) -> int:
    """The answer's status; whatever it did is undone."""
    name = f"{method} {path}"
    url = fill(path, parts) + query(name, parts)
    if name in FORMS or name in FILES:
        sent: dict[str, Any] = {**FORMS.get(name, {})}
        if name in FILES:
            sent["file"] = SimpleUploadedFile("f", FILES[name])
        facts: dict[str, Any] = {"data": sent}
    elif method == "GET":
        facts = {}
    else:
        facts = {"data": json.dumps(BODIES.get(name, {})), "content_type": "application/json"}
    with transaction.atomic():
        status = (
            int(client.generic(method, url, headers=headers, **facts).status_code)
            if "content_type" in facts
            else int(getattr(client, method.lower())(url, headers=headers, **facts).status_code)
        )
        transaction.set_rollback(True)
    return status


def outcome(status: int) -> str:
    if status in (401, 403, 404):
        return str(status)
    return "allowed" if status < 500 or status in (501, 503) else str(status)


LISTED_BY_POST = ("v2/repository/index", *mlflow_table.LISTED_BY_POST)
HAS_OBJECT = (
    "<str:name>", "<str:project>", "<str:slug>", "<uuid:job_id>", "<uuid:upload_id>", "<int:token_id>",
    "<int:webhook_id>", "<int:key_id>", "<int:delivery_id>", "<int:rollout_id>", "<int:experiment_id>",
    "<int:replay_id>", "<uuid:import_id>",
    *mlflow_table.HAS_OBJECT,
)  # fmt: skip


def expected(who: Who, method: str, path: str, *, missing: bool) -> set[str]:
    """What the table says. An object in the path that one may not see is 404, whatever one's scopes."""
    action = TABLE[path][method]
    if action in (PUBLIC, LOCAL_OR_READ):
        return {"allowed"}
    rule, with_object = ACTIONS[action], names_object(method, path)
    ones_own = action in ("token.revoke", "signing_key.revoke") or "<uuid:upload_id>" in path
    seen = who.superuser or (who.owns_token if ones_own else who.rank > 0)
    if missing and with_object:
        seen = False
    if who.scopes is not None and rule.scope not in who.scopes:
        # The scope is asked first, except where predictions are: they look for the endpoint first.
        return {"404"} if path.endswith(("infer", "predict")) and not seen else {"403"}
    if with_object and not seen:
        return {"404"}
    if not with_object and (method == "GET" or path in LISTED_BY_POST):
        return {"allowed"}  # A list holds what one may see, be it nothing; a form can be looked at.
    if who.superuser or not rule.role:
        return {"allowed"}
    if not who.rank:
        return {"404", "400"}  # The project or model named in the body is not visible.
    return {"allowed"} if who.rank >= ROLE_RANK[rule.role] else {"403"}


def names_object(method: str, path: str) -> bool:
    """In the path, or in the query."""
    return any(word in path for word in HAS_OBJECT) or f"{method} {path}" in mlflow_table.QUERIES


def is_page(path: str) -> bool:
    return not path.startswith(("api/", "v1/", "v2", "^v2", *mlflow_table.OUTSIDE_API))


def crawl(paths: Iterator[str]) -> Iterator[tuple[str, str, bool]]:
    for path in paths:
        for method in TABLE[path]:
            yield method, path, False
            if names_object(method, path):
                yield method, path, True


def deviations(world: World, who: Who, client: Client, headers: dict[str, str], paths: list[str]) -> list[str]:
    found = []
    for method, path, missing in crawl(iter(paths)):
        status = ask(client, method, path, world.missing if missing else world.parts, headers)
        allowed = expected(who, method, path, missing=missing)
        if outcome(status) not in allowed and str(status) not in allowed:
            found.append(
                f"{who.name} {sorted(who.scopes or [])} {method} {path} missing={missing}: {status}, not {allowed}"
            )
    return found


# The same views answer below `ajax-api/`.
APIS = [path for path in TABLE if not is_page(path) and not path.startswith("ajax-api/")]
PAGES = [path for path in TABLE if is_page(path)]


@pytest.mark.parametrize("who", PEOPLE, ids=lambda who: f"{who.name}-{'all' if who.scopes == ALL else min(who.scopes)}")
def test_crawl__token__as_the_table_says(world: World, client: Client, who: Who) -> None:
    _row, secret = factories.token_for(world.users[who.name], *sorted(who.scopes or ()))
    assert deviations(world, who, client, {"Authorization": f"Bearer {secret}"}, APIS) == []


@pytest.mark.parametrize(
    "who", [who._replace(scopes=None) for who in PEOPLE if who.scopes == ALL], ids=lambda who: who.name
)
def test_crawl__session__as_the_table_says(world: World, client: Client, who: Who) -> None:
    client.force_login(world.users[who.name], "django.contrib.auth.backends.ModelBackend")
    assert deviations(world, who, client, {}, PAGES) == []


def test_crawl__anonymous__nothing_but_what_is_public(world: World, client: Client) -> None:
    found = {}
    for method, path, missing in crawl(iter(TABLE)):
        action = TABLE[path][method]
        status = ask(client, method, path, world.missing if missing else world.parts, {})
        refused = status == 302 if is_page(path) else status == 401
        if refused is (action in (PUBLIC, LOCAL_OR_READ)) and path != "theme":
            found[f"{method} {path} missing={missing}"] = status
    found.pop("GET favicon.ico missing=False", None)
    assert found == {}


@pytest.mark.parametrize("word", [PUBLIC, SIGNED_IN])
def test_accounts__anonymous__sent_to_sign_in_where_it_is_ones_own(client: Client, db: None, word: str) -> None:
    paths = [path for path, access in ACCOUNTS.items() if access == word and "(?P" not in path]
    to_login = {
        path: client.get("/" + path).headers.get("Location", "").startswith("/accounts/login/?next=") for path in paths
    }
    assert to_login == dict.fromkeys(paths, word == SIGNED_IN)


def test_back_office__staff_only(world: World, client: Client) -> None:
    paths = [
        "/" + route.path
        for route in routes()
        if route.path.startswith(BACK_OFFICE)
        and "<" not in route.path
        and not route.path.endswith(("login/", "logout/"))
    ]
    assert len(paths) > 20
    for name in (None, "olga", "arthur", "root"):
        client.logout()
        if name:
            client.force_login(world.users[name], "django.contrib.auth.backends.ModelBackend")
        seen = {path for path in paths if client.get(path).status_code == 200}
        assert bool(seen) is (name == "root"), (name, seen)


def test_crawl__superuser__reaches_everything_with_the_bodies_used_here(world: World, client: Client) -> None:
    """Otherwise the crawl would take a refused body for a permission."""
    _row, secret = factories.token_for(world.users["root"])
    refused = {}
    for method, path, _missing in crawl(iter(APIS)):
        status = ask(client, method, path, world.parts, {"Authorization": f"Bearer {secret}"})
        if status >= 400:
            refused[f"{method} {path}"] = status
    client.force_login(world.users["root"], "django.contrib.auth.backends.ModelBackend")
    for method, path, _missing in crawl(iter(PAGES)):
        status = ask(client, method, path, world.parts, {})
        if status >= 400:
            refused[f"{method} {path}"] = status
    assert refused == {
        **mlflow_table.REFUSED,
        "DELETE api/v1/models/<str:name>": 409,  # its versions are served
        "POST models/<str:name>/delete": 409,
        "DELETE api/v1/models/<str:name>/versions/<int:number>": 409,
        "POST models/<str:name>/versions/<int:number>/delete": 409,
        "POST api/v1/models/<str:name>/versions/<int:number>/archive": 409,
        "POST models/<str:name>/versions/<int:number>/archive": 409,
        "POST api/v1/jobs/<uuid:job_id>/cancel": 409,  # it has ended
        "POST jobs/<uuid:job_id>/cancel": 409,
        "POST api/v1/models/<str:name>/versions/<int:number>/release": 409,  # it is not quarantined
        "POST models/<str:name>/versions/<int:number>/release": 409,
        "POST endpoints/<str:slug>/rollouts/new": 400,  # its traffic is divided by hand
        "POST api/v1/endpoints/<str:slug>/rollouts": 409,
        "POST api/v1/endpoints/<str:slug>/experiments": 409,
        "POST api/v1/rollouts/<int:rollout_id>/start": 409,
        "POST api/v1/rollouts/<int:rollout_id>/resume": 409,
        "POST rollouts/<int:rollout_id>/start": 409,  # it runs
        "POST rollouts/<int:rollout_id>/resume": 409,
        "POST endpoints/<str:slug>/experiments": 400,
        "POST endpoints/<str:slug>/replays": 400,  # tests/inference fill it
        "POST endpoints/<str:slug>/split": 400,  # as many fields as there are arms: tests/browser fills them
        "POST models/<str:name>/versions/<int:number>/try": 400,
    }
