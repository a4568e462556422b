"""What the crawl of the role table sends: a right body for each write, so that nothing but the caller decides."""

from __future__ import annotations

import json
from typing import Any

from tests import graphs
from tests.contracts import mlflow_table

SHARES = [{"variant": "stable", "version": 1, "weight_bp": 10_000}]
TENSOR = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
INSTANCES = {"instances": [[1.0, 2.0, 3.0, 4.0]]}
# A right body for each, so that nothing but the caller decides.
PLAN = {"candidate": 2, "reason": "x"}
TRIAL = {
    "name": "x",
    "hypothesis": "x",
    "metric": "error",
    "direction": "decrease",
    "min_effect": 0.1,
    "planned_size": 100,
    "arms": [
        {"key": "control", "version": 1, "weight_bp": 5_000},
        {"key": "b", "version": 2, "weight_bp": 5_000},
    ],
    "reason": "x",
}
BODIES: dict[str, Any] = {
    **mlflow_table.BODIES,
    "POST api/v1/endpoints/<str:slug>/rollouts": PLAN,
    **{
        f"POST api/v1/rollouts/<int:rollout_id>/{verb}": {"reason": "x"}
        for verb in ("start", "pause", "resume", "advance", "promote", "abort")
    },
    "POST api/v1/endpoints/<str:slug>/experiments": TRIAL,
    "POST api/v1/experiments/<int:experiment_id>/conclude": {"winner": None, "reason": "x"},
    "POST api/v1/outcomes": {"endpoint": "e", "request_id": "r-1", "label": 1},
    "POST api/v1/endpoints/<str:slug>/replays": {"candidate": 2},
    "POST api/v1/models": {"name": "fresh"},
    "PATCH api/v1/models/<str:name>": {"description": "x"},
    "PATCH api/v1/models/<str:name>/versions/<int:number>": {"description": "x"},
    "POST api/v1/models/<str:name>/versions/<int:number>/release": {"reason": "x"},
    "DELETE api/v1/models/<str:name>": {"reason": "x"},
    "DELETE api/v1/models/<str:name>/versions/<int:number>": {"reason": "x"},
    "POST api/v1/models/<str:name>/versions/<int:number>/archive": {"reason": "x"},
    "POST api/v1/models/<str:name>/versions/<int:number>/restore": {"reason": "x"},
    "PUT api/v1/projects/<str:project>": {"signature_policy": "warn"},
    "PUT api/v1/models/<str:name>/aliases/<str:alias>": {"version": 1},
    "POST api/v1/uploads": {"size": 2},
    "POST api/v1/models/<str:name>/golden": {"name": "x", "request": TENSOR, "record_from": 1},
    "POST api/v1/signing-keys": {"name": "x", "public_key": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="},
    "POST api/v1/tokens": {"name": "x", "scopes": ["admin"]},
    "POST api/v1/webhooks": {"url": "https://hooks.example.org/x"},
    "PATCH api/v1/webhooks/<int:webhook_id>": {"description": "x"},
    "DELETE api/v1/webhooks/<int:webhook_id>": {"reason": "x"},
    "POST api/v1/endpoints": {"slug": "fresh", "model": "e"},
    "PATCH api/v1/endpoints/<str:slug>": {"description": "x"},
    "DELETE api/v1/endpoints/<str:slug>": {"reason": "x"},
    "PUT api/v1/endpoints/<str:slug>/split": {"shares": SHARES, "reason": "x"},
    "POST api/v1/endpoints/<str:slug>/promote": {"version": 2, "reason": "x"},
    "POST api/v1/endpoints/<str:slug>/rollback": {"reason": "x"},
    "POST v2/models/<str:slug>/infer": TENSOR,
    "POST v2/models/<str:slug>/versions/<str:version>/infer": TENSOR,
    "POST v1/models/<str:slug>:predict": INSTANCES,
    "POST v1/models/<str:slug>/versions/<int:version>:predict": INSTANCES,
    "POST v1/models/<str:slug>/labels/<str:version>:predict": INSTANCES,
}
FORMS: dict[str, dict[str, str]] = {
    "POST api/v1/models/<str:name>/versions": {},
    "POST api/v1/jobs": {"endpoint": "e", "format": "csv"},
    "POST models/upload": {"model": "e", "description": ""},
    "POST jobs": {"target": "endpoint e", "format": "csv"},
    "POST models/<str:name>/golden/new": {
        "name": "x",
        "request": json.dumps(TENSOR),
        "record_from": "1",
        "expected": "",
        "rtol": "0",
        "atol": "0",
    },
    "POST endpoints": {"slug": "fresh", "model": "e", "description": ""},
    "POST endpoints/<str:slug>/promote": {"version": "2", "reason": "x", "epoch": "2"},
    "POST endpoints/<str:slug>/rollback": {"reason": "x", "epoch": "2"},
    "POST signing-keys": {"name": "x", "public_key": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="},
    "POST tokens": {"name": "x", "scopes": "read", "days": "1"},
    "POST webhooks": {"url": "https://hooks.example.org/x", "project": "default"},
    "POST webhooks/email": {"project": "default", "state": "off"},
    "POST webhooks/<int:webhook_id>/active": {"state": "off"},
    "POST webhooks/<int:webhook_id>/delete": {"reason": "x"},
    "POST models/<str:name>/versions/<int:number>/aliases": {"alias": "fresh"},
    "POST models/<str:name>/versions/<int:number>/release": {"reason": "x"},
    **{
        f"POST models/<str:name>/{path}": {"reason": "x"}
        for path in ("delete", *(f"versions/<int:number>/{act}" for act in ("archive", "restore", "delete")))
    },
    "POST projects/<str:project>": {"signature_policy": "warn", "act": "save"},
    "POST models/<str:name>/edit": {"description": "x"},
    "POST experiments/<int:experiment_id>/conclude": {
        "winner": "-",
        "rollout": "canary",
        "reason": "x",
        "lock_version": "1",
    },
    "POST endpoints/<str:slug>/rollouts/new": {"candidate": "2", "preset": "canary", "reason": "x"},
    **{
        f"POST rollouts/<int:rollout_id>/{verb}": {"reason": "x", "lock_version": "2"}
        for verb in ("start", "pause", "resume", "advance", "promote", "abort")
    },
    "POST endpoints/<str:slug>/settings": {
        "description": "x",
        "deadline_ms": "1000",
        "batch_delay_us": "0",
        "capture_bp": "0",
        "capture_bytes": "65536",
    },
    "POST endpoints/<str:slug>/service": {"state": "out", "reason": "x"},
    "POST endpoints/<str:slug>/delete": {"reason": "x", "epoch": "2"},
}
FILES = {
    "POST api/v1/models/<str:name>/versions": graphs.add_constant(77.0),
    "POST models/upload": graphs.add_constant(77.0),
    "POST api/v1/jobs": b"x_0,x_1,x_2,x_3\n1,2,3,4\n",
    "POST jobs": b"x_0,x_1,x_2,x_3\n1,2,3,4\n",
}

# What a GET needs in its query.
QUERIES: dict[str, str] = {"GET api/v1/models/<str:name>/compare": "?a=1&b=2"}
