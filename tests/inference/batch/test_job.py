"""Jobs from submit to download, against a real PostgreSQL and real sessions."""

from __future__ import annotations

import orjson
import pytest

from inference.batch import results, sizes
from inference.batch.parts import PartFolder
from portal.lib.errors import Conflict
from tests import graphs
from tests.inference.batch.conftest import answers, output, table
from tests.inference.batch.tables import signature

pytestmark = pytest.mark.django_db(transaction=True)


def test_job__good_table__every_row_in_order(submit, run_to_end, small_chunks):
    job = run_to_end(submit(table(95)))
    assert (job.status, job.n_rows, job.n_done, job.n_failed) == ("succeeded", 95, 95, 0)
    assert output(job) == answers(95)
    assert results.open_errors(job).read() == b""
    assert job.chunks.count() == 10
    assert not PartFolder(job.pk).path.exists()


def test_job__jsonl__keys_are_output_names(submit, run_to_end):
    job = run_to_end(submit(b'{"x": [1, 2, 3, 4]}\n{"x": [5, 6, 7, 8]}\n', file_name="rows.jsonl"))
    assert output(job) == b'{"y":[2.0,3.0,4.0,5.0]}\n{"y":[6.0,7.0,8.0,9.0]}\n'


def test_job__bad_rows__listed_and_the_others_delivered(submit, run_to_end, small_chunks):
    rows = table(30).splitlines(keepends=True)
    rows[3], rows[25] = b"1,two,3,4\n", b"1,2\n"
    job = run_to_end(submit(b"".join(rows)))
    assert (job.status, job.n_done, job.n_failed) == ("succeeded_with_errors", 28, 2)
    lines = output(job).splitlines()
    assert lines[0] == b"y_0,y_1,y_2,y_3,error"
    assert lines[1] == b"1.0,2.0,3.0,4.0,"
    assert lines[3] == b",,,,\"Column 2 is 'two', not a number.\""
    assert lines[15] == b"15.0,16.0,17.0,18.0,"
    assert len(lines) == 31
    assert [(bad["row"], bad["line"], bad["code"]) for bad in results.failed_rows(job)] == [
        (3, 4, "not_a_number"),
        (25, 26, "wrong_count"),
    ]


def test_job__every_row_bad__failed_with_its_list(submit, run_to_end):
    job = run_to_end(submit(b"x_0,x_1,x_2,x_3\na,b,c,d\n"))
    assert (job.status, job.error_code, job.n_failed) == ("failed", "every_row_failed", 1)
    assert orjson.loads(results.open_errors(job).read())["code"] == "not_a_number"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"x_0,x_1,x_2\n1,2,3\n", "missing_column"),
        (b"x_0,x_1,x_2,x_3\n", "no_rows"),
        (b'x_0,x_1,x_2,x_3\n1,2,3,4\n1,2,3,"4\n', "open_quote"),
    ],
)
def test_job__file_that_cannot_be_scored__failed_with_a_sentence(submit, run_to_end, data, code):
    job = run_to_end(submit(data))
    assert (job.status, job.error_code) == ("failed", code)
    assert job.error_message
    with pytest.raises(Conflict) as caught:
        results.open_output(job)
    assert caught.value.code == "no_output"


def test_job__missing_column__sentence_names_expected_and_found(submit, run_to_end):
    job = run_to_end(submit(b"x_0,x_1,x_2\n1,2,3\n"))
    assert job.error_message == (
        "The file lacks the column x_3. "
        "The model needs x_0, x_1, x_2, x_3; the first line of the file has x_0, x_1, x_2."
    )


def test_job__unsupported_fixed_batch__row_by_row(version_of, submit, run_to_end):
    contract = signature({"x": ("FP32", (1, 4))}, {"y": ("FP32", (1, 4))})
    version_of(graphs.add_constant(1.0, (1, 4)), contract, "fixed")
    job = run_to_end(submit(table(3), model="fixed"))
    assert output(job) == answers(3)


def test_job__rows_that_depend_on_each_other__computed_alone(version_of, submit, run_to_end):
    contract = signature({"x": ("FP32", (-1, 4))}, {"y": ("FP32", (-1, 4))})
    coupled = version_of(graphs.batch_mean(), contract, "mean")
    coupled.report = {"facts": {"batch_coupled": True}}
    coupled.save()
    job = run_to_end(submit(table(3), model="mean"))
    assert output(job) == b"y_0,y_1,y_2,y_3\n" + b"0.0,0.0,0.0,0.0\n" * 3


def test_job__text_model__text_in_and_out(version_of, submit, run_to_end):
    version_of(graphs.strings(), signature({"x": ("BYTES", (-1, 1))}, {"y": ("BYTES", (-1, 1))}), "echo")
    job = run_to_end(submit('id,x\n1,"a\nb"\n2,=cmd\n3,ü\n'.encode(), model="echo"))
    assert output(job) == 'y\n"a\nb"\n\'=cmd\nü\n'.encode()


def test_job__time_is_up_within_a_chunk__rest_is_a_chunk_of_its_own(submit, run_to_end, monkeypatch):
    monkeypatch.setattr("inference.batch.work.CHUNK_SECONDS", -1.0)
    monkeypatch.setattr(sizes, "BLOCK_ROWS", 10)
    job = run_to_end(submit(table(35)))
    assert [(chunk.first_row, chunk.n_rows, chunk.first_line) for chunk in job.chunks.all()] == [
        (0, 10, 2),
        (10, 10, 12),
        (20, 10, 22),
        (30, 5, 32),
    ]
    assert output(job) == answers(35)
    assert job.n_done == 35
