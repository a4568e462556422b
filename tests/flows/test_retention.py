"""A version's end over HTTP: refused while somebody needs it, then deleted, its bytes freed, its history kept."""

from __future__ import annotations

import re

import urllib3

from tests import graphs
from tests.flows.portal import ADMIN_PASSWORD, Answer, Client, Portal

LOADED_LONG_AGO = "UPDATE inference_warmrequest SET created_at = created_at - interval '1 hour'"


def delete(client: Client, name: str, number: int) -> Answer:
    return client.call("DELETE", f"/api/v1/models/{name}/versions/{number}", {"reason": "trained on the wrong data"})


def users(answer: Answer) -> set[tuple[str, str]]:
    assert (answer.status, answer.error["code"]) == (409, "in_use"), answer
    return {(use["kind"], use["name"]) for use in answer.error["details"]["used_by"]} - {("loading", "")}


def test_version__served_then_rolled_back_to_then_free__is_deleted_and_swept(
    portal: Portal, admin: Client, alice: Client, name: str
) -> None:
    admin.serve(name, *(graphs.add_constant(value) for value in (1000.5, 1001.5, 1002.5)))
    first = admin.version(name, 1)
    blob = portal.data / "artifacts" / "sha256" / first["sha256"][:2] / first["sha256"]
    assert blob.exists()

    assert delete(alice, name, 1).status == 403
    refused = delete(admin, name, 1)
    assert users(refused) == {("endpoint", name)}
    assert f"endpoint “{name}” serves it" in refused.error["message"]

    admin.promote(name, 2)
    refused = delete(admin, name, 1)
    assert users(refused) == {("previous", name)}
    assert "move its traffic once more" in refused.error["message"]

    admin.promote(name, 3)
    portal.query(LOADED_LONG_AGO)
    assert delete(admin, name, 1).status == 204
    _gone(alice, name)
    assert alice.infer(name, [[1, 2, 3, 4]]).body["outputs"][0]["data"] == [1003.5, 1004.5, 1005.5, 1006.5]

    said = portal.manage("sweep_artifacts", "--grace", "0").stdout
    assert f"orphan  {first['sha256']}" in said
    assert "0 missing." in said
    assert not blob.exists()

    _history_stands(portal, admin, name)
    again = admin.upload(name, graphs.add_constant(1000.5))
    assert (again.status, again.body["number"], again.body["sha256"]) == (202, 4, first["sha256"])
    assert admin.version(name, 4)["status"] == "ready"


def _gone(client: Client, name: str) -> None:
    assert client.get(f"/api/v1/models/{name}/versions/1").status == 404
    assert [row["number"] for row in client.get(f"/api/v1/models/{name}/versions").body["results"]] == [3, 2]
    assert client.infer(name, [[1, 2, 3, 4]], version=1).status == 404
    promoted = client.post(f"/api/v1/endpoints/{name}/promote", {"version": 1, "reason": "x"})
    assert (promoted.status, promoted.error["code"]) == (400, "unknown_version")
    back = client.post(f"/api/v1/endpoints/{name}/rollback", {"revision": 1, "reason": "x"})
    assert (back.status, back.error["code"]) == (409, "version_not_ready")


def _history_stands(portal: Portal, admin: Client, name: str) -> None:
    splits = admin.get(f"/api/v1/endpoints/{name}/splits").body["results"]
    assert [row["shares"][0]["version"] for row in splits] == [3, 2, 1]
    event = admin.get("/api/v1/audit?action=version.deleted").body["results"][0]
    assert (event["object_name"], event["reason"]) == (f"{name} v1", "trained on the wrong data")
    browser = signed_in(portal)
    for path in (f"/endpoints/{name}", f"/models/{name}", "/audit", "/projects/default", "/", "/serving"):
        assert browser(path) == 200, path
    assert browser(f"/models/{name}/versions/1") == 404


def signed_in(portal: Portal):  # type: ignore[no-untyped-def]
    """A person's session, as a function from a path to the status."""
    pool = urllib3.PoolManager(retries=False)
    jar: dict[str, str] = {}

    def send(method: str, path: str, **fields: str) -> urllib3.BaseHTTPResponse:
        headers = {"Cookie": "; ".join(f"{key}={value}" for key, value in jar.items()), "Referer": portal.url + path}
        answer = pool.request(method, portal.url + path, fields=fields or None, headers=headers, redirect=False)
        for cookie in answer.headers.getlist("Set-Cookie"):
            key, _, value = cookie.partition(";")[0].partition("=")
            jar[key] = value
        return answer

    form = send("GET", "/accounts/login/").data.decode()
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    assert found
    done = send("POST", "/accounts/login/", csrfmiddlewaretoken=found[1], login="admin", password=ADMIN_PASSWORD)
    assert done.status in (302, 303), done.status
    return lambda path: send("GET", path).status


def test_model__deleted__its_name_is_free_at_once(portal: Portal, admin: Client, name: str) -> None:
    admin.serve(name, graphs.add_constant(1500.5))
    assert users(admin.call("DELETE", f"/api/v1/models/{name}")) == {("endpoint", name)}
    assert admin.call("DELETE", f"/api/v1/endpoints/{name}", {"reason": "x"}).status == 204
    portal.query(LOADED_LONG_AGO)
    assert admin.call("DELETE", f"/api/v1/models/{name}", {"reason": "over"}).status == 204
    assert admin.get(f"/api/v1/models/{name}").status == 404
    created = admin.post("/api/v1/models", {"name": name})
    assert (created.status, created.body["latest_version"]) == (201, 0)
