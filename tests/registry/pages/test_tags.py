"""Tags on the page of a version: what people said first, what MLflow's client keeps for itself folded."""

from __future__ import annotations

import pytest
from django.test import Client

from portal.templatetags.serving import mlflow_tags, shown_tags
from tests.factories import make_model, make_user, make_version

pytestmark = pytest.mark.django_db(transaction=True)
TAGS = {"team": "risk", "mlflow.user": "anna", "mlflow.run_link": "https://runs.example/7", "features": "a,b"}


def test_tags__of_both__apart_and_in_order() -> None:
    assert shown_tags({"z": "1", **TAGS}) == [("team", "risk"), ("z", "1")]
    assert mlflow_tags(TAGS) == [("run_link", "https://runs.example/7"), ("user", "anna")]


def test_version_page__mlflow_tags__folded_behind_the_others() -> None:
    version = make_version(make_model("m"))
    version.tags = TAGS
    version.save()
    client = Client()
    client.force_login(make_user("vera", "viewer"))
    page = client.get("/models/m/versions/1").content.decode()
    assert page.index("<bdi>risk</bdi>") < page.index("From MLflow: 2 tags") < page.index("<bdi>anna</bdi>")
    assert 'href="https://runs.example/7" rel="nofollow' in page


def test_version_page__only_mlflow_tags__still_there() -> None:
    version = make_version(make_model("m"))
    version.tags = {"mlflow.user": "<b>anna"}
    version.save()
    client = Client()
    client.force_login(make_user("vera", "viewer"))
    page = client.get("/models/m/versions/1").content.decode()
    assert "From MLflow: 1 tag<" in page
    assert "&lt;b&gt;anna" in page
