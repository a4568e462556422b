from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from registry.artifacts.limits import Limits
from registry.artifacts.nursery import nursery
from registry.artifacts.report import READY, REJECTED, Rejection, Report
from registry.artifacts.signature import Signature, TensorSpec
from tests import graphs, hostile_graphs
from tests.examined import validate
from tests.rejections import MODELS, assert_documented

ROOT = Path(__file__).resolve().parents[3]
Check = Callable[..., Report]
X = TensorSpec("x", "FP32", (-1, 4))
Y = TensorSpec("y", "FP32", (-1, 4))


@pytest.fixture
def check(tmp_path: Path) -> Check:
    def run(data: bytes, **limits: float) -> Report:
        path = tmp_path / "model"
        path.write_bytes(data)
        return validate(path, limits=Limits(**limits))  # type: ignore[arg-type]

    return run


def signature(inputs: list[TensorSpec], outputs: list[TensorSpec]) -> Signature:
    return Signature(tuple(inputs), tuple(outputs))


GOOD: dict[Callable[[], bytes], Signature] = {
    graphs.add_constant: signature([X], [Y]),
    graphs.mlp: signature([X], [TensorSpec("y", "FP32", (-1, 1))]),
    graphs.classifier: signature(
        [TensorSpec("X", "FP32", (-1, 4))],
        [TensorSpec("label", "INT64", (-1,)), TensorSpec("probabilities", "FP32", (-1, 3))],
    ),
    graphs.named_classifier: signature([TensorSpec("X", "FP32", (-1, 4))], [TensorSpec("name", "BYTES", (-1,))]),
    graphs.identity_int64: signature([TensorSpec("x", "INT64", (-1, 2))], [TensorSpec("y", "INT64", (-1, 2))]),
    graphs.strings: signature([TensorSpec("x", "BYTES", (-1, 1))], [TensorSpec("y", "BYTES", (-1, 1))]),
    graphs.two_inputs: signature(
        [TensorSpec("a", "FP32", (-1, 2)), TensorSpec("b", "FP32", (-1, 2))], [TensorSpec("total", "FP32", (-1, 2))]
    ),
    graphs.fixed_batch: signature([TensorSpec("x", "FP32", (3, 4))], [TensorSpec("y", "FP32", (3, 4))]),
    graphs.gather: signature([TensorSpec("index", "INT64", (-1,))], [TensorSpec("y", "FP32", (-1, 2))]),
    graphs.shapeless_output: signature([X, TensorSpec("s", "INT64", (2,))], [TensorSpec("y", "FP32", (-1, -1))]),
    graphs.wrong_output_shape: signature([X, TensorSpec("s", "INT64", (2,))], [TensorSpec("y", "FP32", (-1, -1))]),
    hostile_graphs.refuses_all: signature([TensorSpec("index", "INT64", (-1,))], [TensorSpec("y", "FP32", (-1, 2))]),
    hostile_graphs.deep_subgraphs: signature([X], [Y]),
}


@pytest.mark.parametrize("build", GOOD, ids=lambda build: build.__name__)
def test_validate__good_model__ready_with_signature(check: Check, build: Callable[[], bytes]) -> None:
    report = check(build())
    assert (report.status, report.code, report.message) == (READY, "", "")
    assert report.signature == GOOD[build]
    assert [step["name"] for step in report.steps] == ["lint", "checker", "load", "probe"]
    assert Report.from_json(json.loads(json.dumps(report.as_json()))) == report


@pytest.mark.parametrize("name", MODELS)
def test_validate__bad_model__rejected_with_code(check: Check, name: str) -> None:
    build, code = MODELS[name]
    report = check(build(), cpu_seconds=10)
    assert (report.status, report.code, report.signature) == (REJECTED, code, None)
    assert "/" not in report.message.replace("and/or", "").replace("/etc/passwd", "")
    assert_documented("models", name, Rejection(report.code, report.message))
    assert check(graphs.add_constant()).ready


@pytest.mark.parametrize("data", [b"", b"\x80\x04N.", b"PK\x03\x04" + bytes(30)], ids=["empty", "pickle", "zip"])
def test_validate__not_onnx__rejected_without_a_child(check: Check, data: bytes) -> None:
    report = check(data)
    assert (report.status, report.steps, report.sandbox) == (REJECTED, (), {})


def test_validate__damaged_inside__rejected(check: Check) -> None:
    data = bytearray(graphs.mlp())
    data[60:64] = b"\xff\xff\xff\xff"
    assert check(bytes(data)).code in ("damaged_file", "truncated_file", "not_onnx")


def test_validate__cut_off_at_any_byte__never_ready(check: Check) -> None:
    data = graphs.add_constant()
    codes = {check(data[:size]).code for size in range(1, len(data), 7)}
    assert "" not in codes
    assert codes <= {"truncated_file", "damaged_file", "no_graph", "invalid_model", "not_onnx", "load_failed"}


def test_validate__crash__names_signal_and_step(check: Check) -> None:
    report = check(hostile_graphs.group_zero())
    assert "crashes the runtime (SIGFPE) while loading it" in report.message
    assert [(step["name"], step["status"]) for step in report.steps] == [
        ("lint", "ok"),
        ("checker", "ok"),
        ("load", "failed"),
    ]


@pytest.mark.parametrize("limits", [{"cpu_seconds": 1}, {"wall_seconds": 1.0}], ids=["processor", "wall"])
def test_validate__endless_loop__timeout(check: Check, limits: dict[str, float]) -> None:
    report = check(hostile_graphs.endless_loop(), **limits)
    assert report.code == "validation_timeout"
    assert report.steps[-1]["name"] == "probe"


@pytest.fixture
def crowd() -> Iterator[None]:
    """Other people's programs, more than there are processors. Each is a session of its own, as programs are."""
    command = [sys.executable, "-c", "print(1, flush=True)\nwhile True: pass"]
    with ExitStack() as stack:
        for _ in range(4 * len(os.sched_getaffinity(0))):
            program = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True))
            stack.callback(program.kill)
            assert program.stdout is not None
            program.stdout.readline()
        yield


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says for how long a process waited")
def test_validate__others_have_the_processors__not_the_models_fault(check: Check, crowd: None) -> None:
    limits = {"wall_seconds": 0.3, "waiting_seconds": 0.3}
    assert check(hostile_graphs.endless_loop(), **limits).code == "validation_starved"


def test_validate__text_that_doubles__stopped(check: Check) -> None:
    report = check(hostile_graphs.growing_text(), memory_bytes=256 << 20, memory_per_file_byte=1)
    assert report.code == "needs_too_much_memory"


def test_validate__future_opset__says_how_to_export_again(check: Check) -> None:
    message = check(hostile_graphs.future_opset()).message
    assert "opset 28" in message
    assert "opset_version=20" in message
    assert "convert_version(model, 20)" in message


def test_validate__rejected_in_lint__still_says_what_it_is(check: Check) -> None:
    facts = check(hostile_graphs.future_opset()).facts
    assert (facts["ir_version"], facts["opsets"], facts["producer"]) == (10, {"ai.onnx": 28}, "slipway-tests")


def test_validate__classifier__facts(check: Check) -> None:
    facts = check(graphs.classifier()).facts
    assert facts["operators"] == {"Gemm": 1, "Softmax": 1, "ArgMax": 1}
    assert (facts["n_nodes"], facts["n_parameters"], facts["opsets"]) == (3, 15, {"ai.onnx": 20})
    assert (facts["deterministic"], facts["batch_coupled"], facts["dynamic_batch"]) == (True, False, True)
    assert facts["run_seconds"] > 0
    assert facts["load_seconds"] > 0
    assert facts["peak_memory_bytes"] > 0


def test_validate__classifier__what_serving_goes_by(check: Check) -> None:
    facts = check(graphs.classifier()).facts
    assert facts["batching"]["max_size"] == 16
    assert facts["batching"]["gain"] > 1.5
    assert facts["probe_inputs"] == {"values": "zeros", "free": 8}
    assert (facts["isolated"], facts["isolation_reasons"]) == (False, [])


@pytest.mark.parametrize(
    "build", [graphs.batch_mean, graphs.random_output, graphs.fixed_batch, hostile_graphs.refuses_all]
)
def test_validate__rows_that_cannot_share_a_run__batching_unknown(check: Check, build: Callable[[], bytes]) -> None:
    assert check(build()).facts["batching"] is None


def test_validate__integers_divided__isolated_with_the_reason(check: Check) -> None:
    report = check(graphs.division())
    assert (report.status, report.facts["isolated"]) == (READY, True)
    assert report.facts["isolation_reasons"] == ["integer_division"]


def test_validate__rows_depend_on_each_other__batch_coupled(check: Check) -> None:
    report = check(graphs.batch_mean())
    assert report.facts["batch_coupled"] is True
    assert [warning["code"] for warning in report.warnings] == ["batch_coupled"]


def test_validate__noise__not_deterministic(check: Check) -> None:
    report = check(graphs.random_output())
    assert report.facts["deterministic"] is False
    assert [warning["code"] for warning in report.warnings] == ["not_deterministic"]


def test_validate__refuses_made_up_inputs__ready_with_warning(check: Check) -> None:
    report = check(hostile_graphs.refuses_all())
    assert report.facts["probe"] == "refused"
    assert [warning["code"] for warning in report.warnings] == ["probe_refused"]


def test_validate__declared_shape_wrong__warned(check: Check) -> None:
    assert check(graphs.wrong_output_shape()).warnings == (
        {
            "code": "declared_shape_differs",
            "message": "The output 'y' is declared as [-1, 3] but was [1, 4] in trial runs.",
        },
    )


def test_validate__on_step__called_in_order(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(graphs.mlp())
    steps: list[str] = []
    assert validate(path, on_step=steps.append).ready
    assert steps == ["lint", "checker", "load", "probe"]


def test_validate__on_step_fails__error_passes_through_and_next_works(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(hostile_graphs.endless_loop())

    def fail(step: str) -> None:
        raise LookupError(step)

    with pytest.raises(LookupError):
        validate(path, on_step=fail)
    path.write_bytes(graphs.mlp())
    assert validate(path).ready


def test_validate__zygote_killed__started_again(check: Check) -> None:
    assert check(graphs.mlp()).ready
    assert nursery._program is not None
    nursery._program.kill()
    nursery._program.wait()
    assert check(graphs.mlp()).ready


def test_validate__threads__each_gets_its_own_verdict(tmp_path: Path) -> None:
    builds = {"good": graphs.mlp, "crash": hostile_graphs.group_zero, "opset": hostile_graphs.future_opset}
    found: list[tuple[str, str]] = []
    for name, build in builds.items():
        (tmp_path / name).write_bytes(build())
    threads = [
        threading.Thread(target=lambda name=name: found.append((name, validate(tmp_path / name).code)))  # type: ignore[misc]
        for name in [*builds] * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {("good", ""), ("crash", "crashes_runtime"), ("opset", "opset_too_new")}
    assert len(found) == 12


def test_validate__many__no_descriptor_or_process_left(check: Check) -> None:
    check(graphs.mlp())
    before = os.listdir("/proc/self/fd")
    for build in (graphs.mlp, hostile_graphs.group_zero) * 5:
        check(build())
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert nursery._program is not None
    assert Path(f"/proc/{nursery._program.pid}/task/{nursery._program.pid}/children").read_text() == ""
    assert len(os.listdir(f"/proc/{nursery._program.pid}/task")) == 1


SCRIPT = """
import multiprocessing, os, sys
from pathlib import Path
from registry.artifacts import sandbox
from registry.artifacts.model_files import OpenModel
def validate(path):
    return sandbox.validate(OpenModel(os.open(path, os.O_RDONLY), {}))
heavy = {"onnx", "onnxruntime", "numpy", "google"} & {name.split(".")[0] for name in sys.modules}
path = Path(sys.argv[1])
multiprocessing.current_process()._config["daemon"] = True
first = validate(path).status
pid = os.fork()
if pid == 0:
    os._exit(0 if validate(path).status == "ready" else 1)
child = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(sorted(heavy), first, child, validate(path).status)
"""


def test_validate__script_that_forks_as_a_daemon__works_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(graphs.mlp())
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == ("[] ready 0 ready\n", "", 0)


CALLER = """
import os, sys
from registry.artifacts.model_files import OpenModel
from registry.artifacts.nursery import nursery
from registry.artifacts.sandbox import validate
model = OpenModel(os.open(sys.argv[1], os.O_RDONLY), {})
validate(model, on_step=lambda step: step == "probe" and print(nursery._program.pid, flush=True))
"""


def test_validate__caller_killed__zygote_and_child_end(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(hostile_graphs.endless_loop())
    with subprocess.Popen([sys.executable, "-c", CALLER, str(path)], cwd=ROOT, stdout=subprocess.PIPE) as caller:
        assert caller.stdout is not None
        zygote = int(caller.stdout.readline())
        child = int(Path(f"/proc/{zygote}/task/{zygote}/children").read_text())
        caller.kill()
    wait_for(lambda: not is_running(zygote) and not is_running(child))


def is_running(pid: int) -> bool:
    """A process that has ended but that nobody has waited for yet does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
