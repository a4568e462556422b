"""Every package that is needed is pinned, down to the last one."""

from __future__ import annotations

import importlib.metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from portal.local.paths import ROOT


def pins(file: str) -> dict[str, Requirement]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    found = [Requirement(text) for line in lines if (text := line.partition("#")[0].strip())]
    return {canonicalize_name(pin.name): pin for pin in found}


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-test.txt"])
def test_requirements__each_line__is_an_exact_pin_that_is_installed(file: str) -> None:
    for pin in pins(file).values():
        assert [spec.operator for spec in pin.specifier] == ["=="], pin.name
        if pin.marker is None or pin.marker.evaluate():
            assert pin.specifier.contains(importlib.metadata.version(pin.name)), pin.name


@pytest.mark.parametrize("files", [("requirements.txt",), ("requirements.txt", "requirements-test.txt")])
def test_requirements__what_they_need_in_turn__is_pinned_too(files: tuple[str, ...]) -> None:
    pinned = {name: pin for file in files for name, pin in pins(file).items()}
    missing = {
        f"{name} needs {needed.name}"
        for name, pin in pinned.items()
        if pin.marker is None or pin.marker.evaluate()
        for text in importlib.metadata.requires(name) or []
        if (needed := Requirement(text)).marker is None or needed.marker.evaluate({"extra": ""})
        if canonicalize_name(needed.name) not in pinned
    }
    assert missing == set()
