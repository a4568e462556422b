"""CSV files of outcomes: read at once or by a worker, whole or in pieces, and hostile ones."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from inference.models import Command, Outcome
from inference.outcomes import imports, table
from inference.outcomes.imports import import_file, import_of, run_import
from inference.outcomes.table import read_block, read_head
from portal.lib.errors import InvalidInput
from registry.access.principal import SYSTEM, Principal
from registry.models import AuditEvent
from tests import factories
from tests.inference.outcomes.kept import keep_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (imports, table):
        monkeypatch.setattr(module, "BLOCK_BYTES", 200)


def send(data: bytes, principal: Principal = SYSTEM, slug: str = "shop") -> imports.Import:
    return import_file(principal, slug, SimpleUploadedFile("truth.csv", data))


def rows(n: int, begin: int = 0) -> bytes:
    return b"".join(b"r%d,%d\n" % (place, place % 2) for place in range(begin, begin + n))


def read(data: bytes) -> table.Block:
    return read_block(BytesIO(data), read_head(data), read_head(data).offset, 0, "shop", timezone.now())


@pytest.mark.parametrize(
    ("line", "columns", "delimiter"),
    [
        (b"request_id,label\n", ["request_id", "label"], ","),
        (b"\xef\xbb\xbfat;reward;request_id\r\n", ["at", "reward", "request_id"], ";"),
        (b'"request_id" ,"label"', ["request_id", "label"], ","),
        (b"label,request_id,reward,at", ["label", "request_id", "reward", "at"], ","),
    ],
)
def test_read_head__known_columns__in_their_order(line: bytes, columns: list[str], delimiter: str) -> None:
    assert read_head(line)[:2] == (columns, delimiter)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"request_id\n",
        b"label,reward\n",
        b"request_id,lable\n",
        b"request_id,label,label\n",
        b"request_id,label,\n",
        b"r1,3\n",
        b"\x00\xff\xfe",
        b"PK\x03\x04" + b"x" * 100,
    ],
)
def test_read_head__anything_else__refused(line: bytes) -> None:
    with pytest.raises(InvalidInput) as error:
        read_head(line)
    assert error.value.code == "wrong_columns"


@pytest.mark.parametrize(
    ("cell", "label"),
    [
        (b"3", 3),
        (b"-0.5", -0.5),
        (b"1e3", 1000.0),
        (b"true", True),
        (b"cat", "cat"),
        (b"03", "03"),
        (b"1_000", "1_000"),
        (b'"[1, 2]"', [1, 2]),
        (b'"a, ""b"""', 'a, "b"'),
        ("größer".encode(), "größer"),
    ],
)
def test_read_block__label__as_json_where_it_spells_such(cell: bytes, label: object) -> None:
    (report,) = read(b"request_id,label\nr1," + cell + b"\n").reports
    assert (report.label, type(report.label)) == (label, type(label))


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (b"r1,1e999,,", "invalid_label"),
        (b"r1,nan,,", "invalid_label"),
        (b"r1,-inf,,", "invalid_label"),
        (b"r1,a\x00b,,", "invalid_label"),
        (b"r1,a\xffb,,", "invalid_label"),
        (b'r1,"{""a"": 1}",,', "invalid_label"),
        (b"r1," + b"x" * 1001 + b",,", "invalid_label"),
        (b"r1,,1e999,", "invalid_reward"),
        (b"r1,,1e16,", "invalid_reward"),
        (b"r1,,much,", "invalid_reward"),
        (b"r1,,true,", "invalid_reward"),
        (b"r1,1,,yesterday", "invalid_at"),
        (b"r1,1,,0001-01-01T00:00:00+14:00", "invalid_at"),
        (b"r1,1,,2999-01-01", "invalid_at"),
        (b"r1,,,", "no_truth"),
        (b",1,,", "invalid_request_id"),
        (b"r 1,1,,", "invalid_request_id"),
        (b"\xff,1,,", "invalid_request_id"),
        (b"r" * 129 + b",1,,", "invalid_request_id"),
        (b"r1,1,", "wrong_count"),
        (b"r1,1,,,", "wrong_count"),
        (b'r1,"1,,', "wrong_count"),
    ],
)
def test_read_block__hostile_row__rejected_alone(row: bytes, code: str) -> None:
    block = read(b"request_id,label,reward,at\nr0,1,,\n" + row + b"\n")
    assert [report.request_id for report in block.reports] == ["r0"]
    assert [(item.place, item.code) for item in block.rejected] == [(1, code)]
    assert block.ended


def test_import__small_file__taken_at_once() -> None:
    keep_record(factories.make_endpoint("shop"), "r1", 1)
    made = send(b"request_id,label\nr0,0\nr1,0\n\nbad id,3\nr1,0")
    assert made.id is None
    assert {name: made.state[name] for name in ("accepted", "joined", "unknown", "repeated")} == {
        "accepted": 2,
        "joined": 1,
        "unknown": 1,
        "repeated": 1,
    }
    assert [row["index"] for row in made.state["rejected"]] == [2]
    assert Outcome.objects.get(request_id="r1").is_wrong is True


def test_import__large_file__stored_and_taken_block_by_block(small_blocks: None) -> None:
    keep_record(factories.make_endpoint("shop"), "r7", 1)
    made = send(b"request_id,label\n" + rows(100) + b'bad,"open\n' + rows(50, 50))
    assert made.id is not None
    assert (made.state["state"], made.state["n_rows"], Outcome.objects.count()) == ("queued", 0, 0)
    assert AuditEvent.objects.filter(action="outcomes.imported").count() == 1
    run_import(str(made.id))
    state = import_of(SYSTEM, made.id).state
    # The quote that is never closed swallows what comes behind it, up to what one row may hold.
    assert (state["state"], state["message"]) == (
        "failed",
        "A row is longer than one megabyte: perhaps a closing quote is missing.",
    )
    assert Outcome.objects.count() == 100


def test_import__rows_split_by_blocks__each_counted_once(small_blocks: None) -> None:
    factories.make_endpoint("shop")
    data = b"request_id,label\n" + rows(300) + b'"q1","two\nlines"\n' + b"x y,1\n" + b"r0,0"
    made = send(data)
    assert made.id is not None
    run_import(str(made.id))
    state = import_of(SYSTEM, made.id).state
    wanted = {"state": "done", "n_rows": 303, "accepted": 301, "unknown": 301, "repeated": 1, "n_rejected": 1}
    assert {name: state[name] for name in wanted} == wanted
    assert (state["n_bytes"], state["n_bytes_done"]) == (len(data), len(data))
    assert state["rejected"][0]["index"] == 301
    assert Outcome.objects.get(request_id="q1").label == "two\nlines"


def test_run_import__worker_died_in_between__goes_on_where_it_stood(small_blocks: None) -> None:
    factories.make_endpoint("shop")
    made = send(b"request_id,label\n" + rows(300))
    key = str(made.id)
    assert imports._next_block(key)
    n_before = Outcome.objects.count()
    assert 0 < n_before < 300
    run_import(key)
    run_import(key)
    body = Command.objects.get(key=key).body
    assert body is not None
    assert (body["state"], body["accepted"], body["repeated"], Outcome.objects.count()) == ("done", 300, 0, 300)


def test_run_import__endpoint_gone__failed_with_a_sentence(small_blocks: None) -> None:
    endpoint = factories.make_endpoint("shop")
    made = send(b"request_id,label\n" + rows(100))
    Command.objects.filter(key=str(made.id)).update(digest="0" * 64)
    run_import(str(made.id))
    body = Command.objects.get(key=str(made.id)).body
    assert body is not None
    assert (body["state"], body["message"]) == ("failed", "The file is no longer in the store.")
    assert not Outcome.objects.filter(endpoint=endpoint).exists()
