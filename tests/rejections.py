"""Every file that is refused, with its code: the tests go through these tables, and so does docs/rejections.md.

Write that page anew with `python3 -m tests.rejections`.
"""

from __future__ import annotations

import os
import re
import signal
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from onnx import TensorProto

from registry.artifacts import unpack, verdict
from registry.artifacts.conversation import Conversation
from registry.artifacts.limits import MAX_MODEL_BYTES, Limits
from registry.artifacts.model_files import OpenModel
from registry.artifacts.report import Rejection
from registry.artifacts.sniff import archive_kind, sniff
from registry.artifacts.store import ArtifactStore
from tests import archives, hostile_graphs
from tests.examined import validate
from tests.wrong_files import WRONG_FILES

Cases = Mapping[str, tuple[Callable[[], bytes], str]]
PAGE = Path(__file__).resolve().parents[1] / "docs" / "rejections.md"

MODELS: Cases = {
    "values looked for in a file: a weight": (hostile_graphs.external_initializer, "external_data"),
    "the same, without saying so": (hostile_graphs.external_entries_only, "external_data"),
    "the same: an attribute": (hostile_graphs.external_attribute, "external_data"),
    "the same: a sparse weight": (hostile_graphs.external_sparse, "external_data"),
    "the same: indices of a sparse weight": (hostile_graphs.external_sparse_indices, "external_data"),
    "the same: a graph inside the graph": (hostile_graphs.external_subgraph, "external_data"),
    "the same: a function": (hostile_graphs.external_function, "external_data"),
    "the same: training information": (hostile_graphs.external_training, "external_data"),
    "opset 28": (hostile_graphs.future_opset, "opset_too_new"),
    "opset 6": (hostile_graphs.past_opset, "opset_too_old"),
    "opset of a negative number": (hostile_graphs.negative_opset, "opset_too_old"),
    "IR version 14": (hostile_graphs.future_ir, "ir_too_new"),
    "IR version 0": (hostile_graphs.ir_zero, "ir_too_old"),
    "IR version -1": (hostile_graphs.ir_negative, "ir_too_old"),
    "no opset": (hostile_graphs.no_opset, "invalid_model"),
    "one opset twice": (hostile_graphs.twin_opsets, "duplicate_name"),
    "no graph": (hostile_graphs.no_graph, "no_graph"),
    "ConvTranspose of 0 groups, which ends a process": (hostile_graphs.group_zero, "crashes_runtime"),
    "Loop of an empty number of trips, which ends a process": (hostile_graphs.empty_trip_count, "crashes_runtime"),
    "decision tree 20 000 deep, which ends a process": (hostile_graphs.deep_tree, "crashes_runtime"),
    "functions that expand to billions of nodes": (hostile_graphs.function_bomb, "too_complex"),
    "more than 50 000 nodes": (hostile_graphs.many_nodes, "too_complex"),
    "function that calls itself": (hostile_graphs.recursive_function, "recursive_function"),
    "allocation of 100 GB": (hostile_graphs.huge_allocation, "needs_too_much_memory"),
    "custom operator": (hostile_graphs.custom_operator, "unknown_operator"),
    "misspelt operator": (hostile_graphs.misspelt_operator, "unknown_operator"),
    "input of a node that nobody makes": (hostile_graphs.missing_edge, "invalid_model"),
    "nodes in a circle": (hostile_graphs.circle, "invalid_model"),
    "weights shorter than their shape": (hostile_graphs.short_weights, "invalid_model"),
    "weights of negative size": (hostile_graphs.negative_weights, "invalid_model"),
    "language that is not installed": (hostile_graphs.unknown_locale, "locale_missing"),
    "complex numbers": (hostile_graphs.complex_input, "unsupported_input_type"),
    "sequence as output": (hostile_graphs.sequence_output, "unsupported_output_type"),
    "dictionaries of doubles as output": (hostile_graphs.zipmap_of_doubles, "zipmap_output"),
    "input without a shape": (hostile_graphs.shapeless_input, "unknown_rank"),
    "no inputs": (hostile_graphs.no_inputs, "no_inputs"),
    "no outputs": (hostile_graphs.no_outputs, "no_outputs"),
    "1001 inputs": (hostile_graphs.many_inputs, "too_many_tensors"),
    "two outputs of one name": (hostile_graphs.twin_outputs, "duplicate_name"),
    "two weights of one name": (hostile_graphs.twin_weights, "duplicate_name"),
    "name that turns the direction of writing": (hostile_graphs.bidi_name, "bad_tensor_name"),
}

# Beside each of these models lies `weights.bin`, 16 bytes long.
REFERENCES: Cases = {
    "another file": (lambda: archives.adds(archives.reference(location="other.bin", length=16)), "missing_data_file"),
    "parent folder": (
        lambda: archives.adds(archives.reference(location="../weights.bin", length=16)),
        "unsafe_data_location",
    ),
    "dot": (lambda: archives.adds(archives.reference(location="./weights.bin", length=16)), "unsafe_data_location"),
    "absolute": (lambda: archives.adds(archives.reference(location="/etc/passwd", length=16)), "unsafe_data_location"),
    "no location": (lambda: archives.adds(archives.reference(location=None, length=16)), "unsafe_data_location"),
    "two locations": (archives.two_locations, "bad_data_reference"),
    "unknown key": (lambda: archives.adds(archives.reference(length=16, basepath="/etc")), "bad_data_reference"),
    "hidden entries": (archives.hidden_entries, "bad_data_reference"),
    "negative offset": (lambda: archives.adds(archives.reference(offset=-16, length=16)), "bad_data_reference"),
    "huge offset": (lambda: archives.adds(archives.reference(offset=10**30, length=16)), "bad_data_reference"),
    "offset in Arabic digits": (
        lambda: archives.adds(archives.reference(offset="\u0660", length=16)),
        "bad_data_reference",
    ),
    "offset behind the end": (lambda: archives.adds(archives.reference(offset=8, length=16)), "data_out_of_file"),
    "length too short": (lambda: archives.adds(archives.reference(length=12)), "data_out_of_file"),
    "length too long": (lambda: archives.adds(archives.reference(length=20)), "data_out_of_file"),
    "dimensions too large": (lambda: archives.adds(archives.reference(dims=(1 << 40,))), "data_out_of_file"),
    "negative dimension": (lambda: archives.adds(archives.reference(dims=(-4,), length=16)), "bad_data_reference"),
    "texts": (lambda: archives.adds(archives.reference(element=TensorProto.STRING, length=16)), "bad_data_reference"),
    "in an attribute": (archives.constant_in_a_file, "external_data_place"),
    "in an inner graph": (archives.inner_weights, "external_data_place"),
    "sparse": (hostile_graphs.external_sparse, "external_data_place"),
    "in a function": (hostile_graphs.external_function, "external_data_place"),
    "for training": (hostile_graphs.external_training, "external_data_place"),
}

ARCHIVES: Cases = {
    "path with ..": (lambda: archives.zipped({**archives.bundle(), "../evil": b"x"}), "unsafe_path"),
    ".. inside": (lambda: archives.tarred({**archives.bundle(), "a/../../b": b"x"}), "unsafe_path"),
    "absolute path": (lambda: archives.tarred({**archives.bundle(), "/etc/cron.d/x": b"x"}), "unsafe_path"),
    "backslash": (lambda: archives.tarred({**archives.bundle(), "..\\evil": b"x"}), "unsafe_path"),
    "drive": (lambda: archives.tarred({**archives.bundle(), "C:evil": b"x"}), "unsafe_path"),
    "bidi name": (lambda: archives.zipped({**archives.bundle(), "a\u202eb": b"x"}), "bad_file_name"),
    "long name": (lambda: archives.zipped({**archives.bundle(), "a" * 300: b"x"}), "bad_file_name"),
    "symbolic link in a tar": (
        lambda: archives.tarred(
            {"model.onnx": archives.adds()}, archives.special("weights.bin", tarfile.SYMTYPE, "/etc")
        ),
        "link_in_archive",
    ),
    "hard link in a tar": (
        lambda: archives.tarred(
            {"model.onnx": archives.adds()}, archives.special("weights.bin", tarfile.LNKTYPE, "model.onnx")
        ),
        "link_in_archive",
    ),
    "device in a tar": (
        lambda: archives.tarred(archives.bundle(), archives.special("tty", tarfile.CHRTYPE)),
        "link_in_archive",
    ),
    "pipe in a tar": (
        lambda: archives.tarred(archives.bundle(), archives.special("p", tarfile.FIFOTYPE)),
        "link_in_archive",
    ),
    "link in a zip": (archives.zip_with_link, "link_in_archive"),
    "one name twice": (archives.zip_with_twins, "duplicate_file"),
    "password": (archives.zip_with_password, "encrypted_archive"),
    "lying size": (archives.zip_with_lying_size, "damaged_archive"),
    "compression of another program": (archives.zip_with_unknown_compression, "unknown_compression"),
    "cut off": (lambda: archives.zipped(archives.bundle())[:-30], "damaged_archive"),
    "cut off tar": (lambda: archives.tarred(archives.bundle())[:1540], "damaged_archive"),
    "bomb": (archives.zip_bomb, "archive_too_large"),
    "1001 files": (lambda: archives.zipped({str(i): b"" for i in range(1001)}), "too_many_files"),
    "201 data files": (lambda: archives.zipped({"model.onnx": archives.many_files(201)}), "too_many_data_files"),
    "no model": (lambda: archives.zipped({"a.pkl": b"\x80\x04N.", "b.txt": b"x"}), "no_model_in_archive"),
    "empty archive": (lambda: archives.zipped({}), "no_model_in_archive"),
    "two models": (lambda: archives.zipped({"a.onnx": b"x", "b.onnx": b"x"}), "several_models"),
    "pickle as model": (lambda: archives.zipped({"model.onnx": b"\x80\x04N."}), "not_onnx_pickle"),
    "zip as model": (lambda: archives.zipped({"model.onnx": archives.zipped({"x": b"x"})}), "not_onnx_zip"),
    "damaged model": (lambda: archives.zipped({"model.onnx": archives.adds()[:-3] + b"\xff\xff\xff"}), "damaged_file"),
    "data file missing": (lambda: archives.zipped({"model.onnx": archives.adds()}), "missing_data_file"),
    "graph names ..": (
        lambda: archives.zipped({"model.onnx": archives.adds(archives.reference(location="../weights.bin"))}),
        "unsafe_data_location",
    ),
    "graph names /etc/passwd": (
        lambda: archives.zipped({"model.onnx": archives.adds(archives.reference(location="/etc/passwd"))}),
        "unsafe_data_location",
    ),
    "graph names nothing": (
        lambda: archives.zipped({"model.onnx": archives.adds(archives.reference(location=None))}),
        "unsafe_data_location",
    ),
    "graph names itself": (
        lambda: archives.zipped({"model.onnx": archives.adds(archives.reference(location="model.onnx"))}),
        "missing_data_file",
    ),
}

# What ends badly whatever the file is, and takes too long or too much to be made each time.
ENDINGS: Mapping[str, tuple[Callable[[], Rejection], str]] = {
    "model of more than 2 GB": (lambda: _of_size(MAX_MODEL_BYTES + 100), "too_large_for_onnx"),
    "loop that computes for more than 20 seconds": (lambda: _ended(signal=signal.SIGXCPU), "validation_timeout"),
    "model that waits for more than 30 seconds": (lambda: _ended(timed_out=True), "validation_timeout"),
    "server whose processors others have, three times": (
        lambda: _ended(timed_out=True, starved=True),
        "validation_starved",
    ),
    "sandbox that ends without a word": (lambda: _ended(exit=1), "validation_failed"),
    "validation that ends its worker": (lambda: verdict.LOST, "validation_lost"),
    "unpacking that ends its worker": (lambda: unpack.LOST, "unpacking_lost"),
    "bytes that are gone from the store": (lambda: verdict.MISSING, "artifact_missing"),
}

_TITLES = {
    "files": "Files that are no ONNX model",
    "models": "ONNX models",
    "references": "Data files: what the graph says of `weights.bin`, which has 16 bytes",
    "archives": "Archives",
    "endings": "Whatever is in the file",
}
_ROW = re.compile(r"^\| (.+?) \| `(\w+)` \| (.+) \|$")
_HEAD = """# Files that are refused

Whatever is uploaded is looked at in a sandbox, and what is not taken is refused with a code for programs and a sentence
for people. This page is written by `python3 -m tests.rejections` from the cases that the tests go through.
"""


def assert_documented(kind: str, name: str, rejection: Rejection) -> None:
    """The sentence is one that a person can use, and the page holds it."""
    assert rejection.message.endswith(".")
    assert documented().get((kind, name)) == (rejection.code, _cell(rejection.message)), (
        "run python3 -m tests.rejections"
    )


def documented() -> dict[tuple[str, str], tuple[str, str]]:
    found: dict[tuple[str, str], tuple[str, str]] = {}
    kinds = {f"## {title}": kind for kind, title in _TITLES.items()}
    kind = ""
    for line in PAGE.read_text().splitlines():
        kind = kinds.get(line, kind)
        if match := _ROW.match(line):
            found[(kind, match[1])] = (match[2], match[3])
    return found


def cases() -> dict[str, list[str]]:
    """The names by kind. Archives that are unpacked are refused for what is in them, not for being archives."""
    files = [name for name, (_, code) in WRONG_FILES.items() if code not in ("not_onnx_zip", "not_onnx_tar")]
    return {
        "files": files,
        "models": [*MODELS],
        "references": [*REFERENCES],
        "archives": [*ARCHIVES],
        "endings": [*ENDINGS],
    }


def _of_size(n_bytes: int) -> Rejection:
    found = sniff(b"\x08\x0a" * 2_048, n_bytes)
    assert found is not None
    return found


def _ended(**facts: int) -> Rejection:
    """Of a model whose sandbox ended so while it ran it."""
    heard = Conversation(lambda step: None, 1 << 20, steps=[("probe", 0.0)])
    heard.verdict = {"signal": 0, "exit": 0, "timed_out": False, "starved": False, "cpu_seconds": 0.0, **facts}
    report = verdict.judge(heard, Limits(), 0.0)
    return Rejection(report.code, report.message)


def _cell(sentence: str) -> str:
    return sentence.replace("|", "\\|")


def _rejections(folder: Path) -> Iterator[tuple[str, str, Rejection]]:
    for name in cases()["files"]:
        data = WRONG_FILES[name][0]
        rejection = sniff(data[:4096], len(data))
        assert rejection is not None
        yield "files", name, rejection
    path, weights, store = folder / "file", folder / "weights", ArtifactStore(folder / "store")
    weights.write_bytes(archives.WEIGHTS)
    for kind, table, beside in (("models", MODELS, {}), ("references", REFERENCES, {"weights.bin": weights})):
        for name, (build, _) in table.items():
            path.write_bytes(build())
            report = validate(path, beside)
            yield kind, name, Rejection(report.code, report.message)
    for name, (build, _) in ARCHIVES.items():
        data = build()
        path.write_bytes(data)
        archive = OpenModel(os.open(path, os.O_RDONLY), {})
        found = unpack.unpack(archive, archive_kind(data[:4096], len(data)), store, limit=1 << 30).rejection
        archive.close()
        assert found is not None
        yield "archives", name, found
    for name, (ending, _) in ENDINGS.items():
        yield "endings", name, ending()


def page() -> str:
    parts, last = [_HEAD], ""
    with tempfile.TemporaryDirectory() as folder:
        for kind, name, rejection in _rejections(Path(folder)):
            if kind != last:
                parts.append(f"\n## {_TITLES[kind]}\n\n| File | Code | Sentence |\n|---|---|---|\n")
            parts.append(f"| {name} | `{rejection.code}` | {_cell(rejection.message)} |\n")
            last = kind
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
