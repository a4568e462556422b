"""Rules for the files of a bundle: an ONNX file, and the data files that its graph names. Nothing is parsed here.

A name is never a path on the server: the bytes lie under their digest. It only has to be the one in the graph.
"""

from __future__ import annotations

from collections.abc import Iterable

from registry.artifacts.names import is_invisible, readable
from registry.artifacts.report import Rejected

MAX_ENTRIES = 1_000
MAX_DATA_FILES = 200
MAX_NAME = 255
# So many names of files that nobody needs are told.
MAX_LEFT_OUT = 20
MODEL_SUFFIX = ".onnx"
# What desktops add to archives without being asked.
_CLUTTER = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}


def check_name(name: str) -> str:
    """The name itself. Raises Rejected when it could mean a place, or could be read as something else than it is."""
    if not name or len(name) > MAX_NAME or any(is_invisible(character) for character in name):
        raise Rejected(
            "bad_file_name",
            f"The name of the file {readable(name)!r} is empty, longer than {MAX_NAME} characters or holds invisible "
            "characters. Rename it, in the graph as well, and pack the bundle again.",
        )
    parts = name.split("/")
    if "\\" in name or name[1:2] == ":" or any(part in ("", ".", "..") for part in parts):
        raise Rejected(
            "unsafe_path",
            f"The path {readable(name)!r} does not stay inside the bundle. Pack model.onnx and its data files by plain "
            "names, without folders above them.",
        )
    return name


def is_clutter(path: str) -> bool:
    parts = path.split("/")
    return any(part in _CLUTTER for part in parts) or parts[-1].startswith("._")


def common_folder(paths: Iterable[str]) -> str:
    """The one folder at the top that all files lie in, with its slash; empty when there is none."""
    tops = {path.partition("/")[:2] for path in paths}
    if len(tops) != 1:
        return ""
    ((folder, slash),) = tops
    return folder + slash if slash else ""


def the_model(names: Iterable[str]) -> str:
    """The one ONNX file at the top. Raises Rejected."""
    at_the_top = sorted(name for name in names if "/" not in name)
    found = [name for name in at_the_top if name.lower().endswith(MODEL_SUFFIX)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Rejected(
            "several_models",
            f"The archive holds {len(found)} ONNX files at its top, {readable(found[0])!r} and {readable(found[1])!r} "
            "among them. Upload one archive for each model.",
        )
    held = ", ".join(repr(readable(name)) for name in at_the_top[:3]) or "folders only"
    raise Rejected(
        "no_model_in_archive",
        f"The archive holds no .onnx file at its top, but {held}. Export the model to ONNX and pack model.onnx with "
        "the data files beside it.",
    )


def too_many_data_files(count: int) -> Rejected:
    return Rejected(
        "too_many_data_files",
        f"The model keeps its weights in {count:,} files; up to {MAX_DATA_FILES} are taken. Save them in one, with "
        'onnx.save(model, "model.onnx", save_as_external_data=True, all_tensors_to_one_file=True).',
    )


def missing_file(location: str, others: Iterable[str]) -> Rejected:
    there = ", ".join(repr(readable(name)) for name in sorted(others)[:3]) or "none"
    return Rejected(
        "missing_data_file",
        f"The graph names the data file {readable(location)!r}, which the bundle does not hold (data files there: "
        f"{there}). Pack that file beside model.onnx by exactly this name.",
    )
