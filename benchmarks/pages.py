"""How quickly list, search and model pages answer with 10 000 models and 100 000 versions.

    python3 benchmarks/pages.py [--models 10000] [--versions 10] [--rounds 20]

The rows are written straight into the database of a portal of its own. Each page is then asked for over one kept
connection by a signed-in person; the time runs from the request to the last byte of the answer, the browser apart.
"""

from __future__ import annotations

import enter  # noqa: F401  Continues in .venv.

# isort: split
import argparse
import http.client
import re
import time
from urllib.parse import quote, urlencode

from harness import Portal
from table import heading, median, show

PASSWORD = "a-long-passw0rd"
GOAL_SECONDS = 0.1
SEED = """
import random
from django.db import connection
from registry.models import ModelAlias, ModelVersion, Project, RegisteredModel, User
random.seed(7)
project, anna = Project.objects.get(slug="default"), User.objects.get(username="admin")
words = "fraud churn demand price risk claim image text score embed rank route".split()
models = RegisteredModel.objects.bulk_create(
    [
        RegisteredModel(
            project=project, created_by=anna, last_number={versions},
            name=f"{{random.choice(words)}}-{{random.choice(words)}}-{{number:05d}}",
            description="Predicts " + " ".join(random.choices(words, k=60)), tags={{"team": random.choice(words)}},
        )
        for number in range({models})
    ],
    batch_size=2000,
)
tensor = {{"datatype": "FP32", "shape": [-1, 4]}}
signature = {{"inputs": [{{"name": "x", **tensor}}], "outputs": [{{"name": "y", **tensor}}]}}
facts = {{"operators": {{f"Op{{n}}": n for n in range(20)}}, "run_seconds": 1e-5}}
report = {{"status": "ready", "code": "", "facts": facts}}
for begin in range(0, len(models), 1000):
    ModelVersion.objects.bulk_create(
        [
            ModelVersion(
                model=model, number=number, status="ready" if number % 5 else "rejected", size=1000 * number,
                sha256=f"{{model.pk:032x}}{{number:032x}}", signature=signature, report=report, created_by=anna,
                metrics={{name: random.random() for name in ("accuracy", "auc", "loss")}},
                tags={{"framework": random.choice(["sklearn", "torch"])}}, description="better",
            )
            for model in models[begin : begin + 1000]
            for number in range(1, {versions} + 1)
        ],
        batch_size=2000,
    )
connection.cursor().execute(
    "INSERT INTO registry_versionmetric (version_id, name, value) "
    "SELECT v.id, m.key, m.value::float8 FROM registry_modelversion v, jsonb_each_text(v.metrics) m"
)
newest = {{row.model_id: row for row in ModelVersion.objects.filter(number={versions}).only("id", "model_id")}}
ModelAlias.objects.bulk_create(
    [ModelAlias(model=model, name="champion", version=newest[model.pk]) for model in models], batch_size=2000
)
connection.cursor().execute("VACUUM ANALYZE")
print(models[0].name)
"""
SEARCHES = (
    "fraud claim",
    "nothing-like-it",
    "tag:team=risk",
    "tag:framework=torch",
    "tag:framework",
    "tag:nothing",
    "tag:framework=torch fraud",
    "tag:framework=torch metric:accuracy>0.5",
    "metric:accuracy>0.999",
    "metric:accuracy>0.97",
    "metric:accuracy>0.5",
    "alias:champion",
    "alias:champion metric:accuracy>0.9",
    "input:FP32",
    "input:nothing",
    "owner:admin",
    "status:rejected",
)


def main() -> None:
    options = parse()
    heading(f"Pages with {options.models} models of {options.versions} versions each")
    portal = Portal(processes=1, demo=False)
    portal.environment["PORTAL_ADMIN_PASSWORD"] = PASSWORD
    with portal:
        seed = SEED.format(models=options.models, versions=options.versions)
        name = portal.manage("shell", "-v", "0", "-c", seed).split()[-1]
        report(measure(Browser(portal.port), paths_of(name), options.rounds))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--versions", type=int, default=10, help="of each model")
    parser.add_argument("--rounds", type=int, default=20)
    return parser.parse_args()


def paths_of(name: str) -> list[str]:
    lists = ["/models", "/models?sort=name", "/models?sort=-versions", "/models?page=200"]
    lists += ["/models?sort=-versions&q=tag:framework%3Dtorch", "/models?page=40&q=tag:framework%3Dtorch"]
    searches = [f"/models?q={quote(search)}" for search in SEARCHES]
    api = ["/api/v1/models", f"/api/v1/models?search={quote('metric:accuracy>0.999')}"]
    return [*lists, *searches, *api, *(f"/models/{name}{tab}" for tab in ("", "/compare", "/lineage", "/activity"))]


class Browser:
    """A signed-in person on one kept connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.cookies: dict[str, str] = {}
        token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', self.ask("GET", "/accounts/login/")[1])
        form = {"login": "admin", "password": PASSWORD, "csrfmiddlewaretoken": token[1].decode() if token else ""}
        status, _body = self.ask("POST", "/accounts/login/", urlencode(form))
        if status != 302:
            raise RuntimeError(f"signing in was answered with {status}")

    def ask(self, method: str, path: str, form: str | None = None) -> tuple[int, bytes]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.connection.request(method, path, form, headers)
        response = self.connection.getresponse()
        for cookie in response.headers.get_all("Set-Cookie") or []:
            name, _sign, rest = cookie.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return response.status, response.read()


def measure(browser: Browser, paths: list[str], n_rounds: int) -> dict[str, list[float]]:
    """Seconds of each round by path, the pages in turn."""
    seconds: dict[str, list[float]] = {path: [] for path in paths}
    for number in range(n_rounds + 1):
        for path in paths:
            began = time.perf_counter()
            status, _body = browser.ask("GET", path)
            took = time.perf_counter() - began
            if status != 200:
                raise RuntimeError(f"{path}: {status}")
            if number:  # the first fills caches
                seconds[path].append(took)
    return seconds


def report(seconds: dict[str, list[float]]) -> None:
    rows = []
    for path, taken in seconds.items():
        ordered = sorted(taken)
        p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
        rows.append((f"`{path[:60]}`", 1e3 * median(taken), 1e3 * p95, "yes" if median(taken) < GOAL_SECONDS else "no"))
    show(["page", "median ms", "p95 ms", "below 100 ms"], rows)


if __name__ == "__main__":
    main()
