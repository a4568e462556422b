from __future__ import annotations

from pathlib import Path

import pytest

from portal.local import pip, venv


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose environment is complete; nothing in it is ever run."""
    folder = tmp_path / ".venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {venv.VERSION}.9\n")
    for name, path in {"ROOT": tmp_path, "VENV": folder, "PYTHON": folder / "bin" / "python"}.items():
        monkeypatch.setattr(venv, name, path)
    monkeypatch.setattr(venv, "_BEGUN", folder / ".installing")
    monkeypatch.setattr(venv, "_CONFIG", folder / "pyvenv.cfg")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("Django==5.2.19\n")
    venv._stamp(requirements).write_text(venv._fingerprint(requirements))
    return tmp_path


def is_complete(checkout: Path) -> bool:
    return venv._complete([checkout / "requirements.txt"])


def test_venv__stamp_matches__nothing_to_do(checkout: Path) -> None:
    assert is_complete(checkout)
    assert venv._usable()


def test_venv__requirements_changed__installs_into_what_is_there(checkout: Path) -> None:
    (checkout / "requirements.txt").write_text("Django==5.2.20\n")
    assert not is_complete(checkout)
    assert venv._usable()


def test_venv__test_requirements_not_installed_yet__only_those_are_missing(checkout: Path) -> None:
    (checkout / "requirements-test.txt").write_text("pytest==9.2.0\n")
    assert is_complete(checkout)
    assert not venv._complete([checkout / "requirements.txt", checkout / "requirements-test.txt"])


def test_venv__install_was_interrupted__is_made_anew(checkout: Path) -> None:
    (checkout / ".venv" / ".installing").touch()
    assert not is_complete(checkout)
    assert not venv._usable()


def test_venv__other_python__is_made_anew(checkout: Path) -> None:
    (checkout / ".venv" / "pyvenv.cfg").write_text("version = 3.9.1\n")
    assert not venv._usable()


def test_venv__its_python_is_gone__is_made_anew(checkout: Path) -> None:
    (checkout / ".venv" / "bin" / "python").unlink()
    assert not is_complete(checkout)
    assert not venv._usable()


def test_venv__in_use_by_a_running_command__is_not_replaced(checkout: Path) -> None:
    venv._hold()
    with pytest.raises(venv.CannotStart, match="a running command still uses it"):
        venv._refuse_if_in_use()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pip 22.3 from /usr/lib (python 3.11)", True),
        ("pip 23.0.1 from /usr/lib (python 3.11)", True),
        ("pip 26.1.dev0 from /usr/lib", True),
        ("pip 22.2.2 from /usr/lib", False),
        ("No module named pip", False),
        (None, False),
    ],
)
def test_pip__version__says_whether_it_installs_elsewhere(line: str | None, expected: bool) -> None:
    assert pip._can_install_elsewhere(line) is expected


def test_pip__own_settings_for_elsewhere__are_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_TARGET", "/somewhere/else")
    monkeypatch.setenv("PIP_USER", "1")
    environment = pip._environment()
    assert "PIP_TARGET" not in environment
    assert environment["PIP_USER"] == "0"
