"""What the documentation says has to agree with the code: settings, roles, the routing key, links, commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from inference.routing.assignment import check_assignment, check_rules
from inference.routing.buckets import N_BUCKETS, bucket_of, hash_of, unit_of
from registry.access.actions import ACTIONS, ROLE_RANK, SCOPES, SITE

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)
NAMES = re.compile(r'"(PORTAL_[A-Z_]+|WEB_CONCURRENCY|PROMETHEUS_[A-Z_]+|DATABASE_URL|REDIS_URL)"')
WAYS = re.compile(r"`(\{.*?\})`")
IN_PLACE_OF_A_ROLE = {SITE: "*auditor*", "": "*anyone signed in*"}


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def table_rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head and rule."""
    lines = text(page).split(f"## {heading}\n")[1].splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def variables_in_code() -> set[str]:
    sources = [ROOT / "manage.py"] + [
        path for room in ("portal", "registry", "inference") for path in (ROOT / room).rglob("*.py")
    ]
    found = {name for path in sources for name in NAMES.findall(path.read_text(encoding="utf-8"))}
    return {name for name in found if not name.endswith("_FILE") or name == "PORTAL_READY_FILE"}


def test_settings_page__every_variable_of_the_code__stands_in_it() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", text("docs/settings.md"), re.M)) == variables_in_code()


def test_settings_page__compose_file__hands_on_documented_variables_only() -> None:
    handed_on = set(re.findall(r"^ +((?:PORTAL|PROMETHEUS|WEB)_[A-Z_]+):", text("docker-compose.yml"), re.M))
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", text("docs/settings.md"), re.M))
    assert {name.removesuffix("_FILE") if name != "PORTAL_READY_FILE" else name for name in handed_on} <= documented


def test_access_page__actions__equal_the_role_table() -> None:
    documented = {
        row[0].strip("`"): (row[1].strip("`"), row[2].strip("`")) for row in table_rows("docs/access.md", "Actions")
    }
    assert documented == {
        name: (IN_PLACE_OF_A_ROLE.get(rule.role, rule.role), rule.scope) for name, rule in ACTIONS.items()
    }


def test_access_page__roles_and_scopes__equal_the_code() -> None:
    roles = [row[0].strip("`") for row in table_rows("docs/access.md", "Projects and roles")]
    assert roles == sorted(ROLE_RANK, key=ROLE_RANK.__getitem__)
    scopes = {row[0].strip("`"): row[1] for row in table_rows("docs/access.md", "Tokens")}
    assert scopes == {name: str(sentence) for name, sentence in SCOPES.items()}


def test_api_page__buckets__equal_the_code() -> None:
    rows = [row for row in table_rows("docs/api.md", "Which version will a key get?") if row[2].isdigit()]
    assert len(rows) == 4
    for salt, key, bucket in rows:
        assert bucket_of(salt.strip("`"), key.strip("`")) == int(bucket)


def test_assignment_page__vectors__equal_the_code() -> None:
    rows = table_rows("docs/assignment.md", "Test vectors")
    assert len(rows) == 10
    for salt, key, bits, bucket, unit in rows:
        hashed = hash_of(salt.strip("`"), key.strip("`"))
        assert (f"`{hashed:016x}`", str(hashed % N_BUCKETS), str(unit_of(hashed))) == (bits, bucket, unit)


def test_assignment_page__ways_and_rules__are_taken() -> None:
    ways = [
        json.loads(way) for row in table_rows("docs/assignment.md", "What the key is") for way in WAYS.findall(row[0])
    ]
    assert {check_assignment(way).get("by", "header") for way in ways} == {"header", "token", "field", "request"}
    rules = json.loads(text("docs/assignment.md").split("## Rules")[1].split("```json")[1].split("```")[0])
    assert check_rules(rules, {"stable", "canary"}) == rules


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page__relative_links__lead_somewhere(page: Path) -> None:
    content = page.read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", content) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page__management_commands__exist(page: Path) -> None:
    known = {*get_commands(), "up"}
    named = set(re.findall(r"manage\.py ([a-z_]+)", page.read_text(encoding="utf-8")))
    assert named <= known


def test_architecture_page__files_and_folders__exist() -> None:
    named = re.findall(
        r"`((?:portal|registry|inference|templates)/[a-z_/]*(?:\.py)?)[:`]", text("docs/architecture.md")
    )
    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_benchmarks_page__scripts__are_there() -> None:
    named = re.findall(r"python3 (benchmarks/[a-z_]+\.py)", text("docs/benchmarks.md"))
    assert len(named) == 16
    assert [name for name in named if not (ROOT / name).exists()] == []
