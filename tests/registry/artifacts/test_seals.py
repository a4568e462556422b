from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from registry.artifacts.model_files import Subject
from registry.artifacts.seals import (
    Signer,
    Tampered,
    check_seal,
    parse_key,
    parse_public_key,
    uploader_message,
    uploader_signature_holds,
)

SIGNER, OTHER = Signer(b"s" * 32), Signer(b"t" * 32)
KEYS = {SIGNER.fingerprint: SIGNER.public}
A, B = "a" * 64, "b" * 64
FACTS = {"signed_at": "2026-11-21T12:00:00+00:00", "uploader": {"user": "anna"}}


def test_check_seal__as_it_was_made__holds() -> None:
    seal = SIGNER.seal(A, FACTS)
    assert {name: seal[name] for name in FACTS} == FACTS
    check_seal(KEYS, A, seal)
    # As a JSON column hands it back: the same, in another order.
    check_seal(KEYS, A, dict(reversed(list(seal.items()))))


def test_check_seal__of_another_version_or_of_none__tampered() -> None:
    mine = Subject(model=7, version=2)
    seal = SIGNER.seal(A, FACTS, mine)
    assert seal["subject"] == {"model": 7, "version": 2}
    check_seal(KEYS, A, seal, mine)
    for other in (Subject(7, 3), Subject(8, 2), Subject(2, 7), None):
        with pytest.raises(Tampered, match="another version"):
            check_seal(KEYS, A, seal, other)
    with pytest.raises(Tampered, match="another version"):
        check_seal(KEYS, A, SIGNER.seal(A, FACTS), mine)
    with pytest.raises(Tampered, match=r"the seal\Z"):
        check_seal(KEYS, A, {**seal, "subject": {"model": 7, "version": 3}}, Subject(7, 3))


@pytest.mark.parametrize(
    "change",
    [
        {"signed_at": "2027-01-01T00:00:00+00:00"},
        {"uploader": {"user": "mallory"}},
        {"warning": "unsigned"},
        {"signature": base64.b64encode(b"x" * 64).decode()},
        {"signature": "%"},
        {"signature": None},
        {"key": OTHER.fingerprint},
        {"key": None},
    ],
)
def test_check_seal__anything_changed__tampered(change: dict[str, object]) -> None:
    with pytest.raises(Tampered):
        check_seal(KEYS, A, {**SIGNER.seal(A, FACTS), **change})


def test_check_seal__other_digest_or_untrusted_key_or_less_facts__tampered() -> None:
    with pytest.raises(Tampered):
        check_seal(KEYS, B, SIGNER.seal(A, FACTS))
    with pytest.raises(Tampered):
        check_seal(KEYS, A, OTHER.seal(A, FACTS))
    seal = SIGNER.seal(A, FACTS)
    del seal["uploader"]
    with pytest.raises(Tampered):
        check_seal(KEYS, A, seal)


def test_uploader_signature__made_by_openssl__holds_for_its_digest_only(tmp_path: Path) -> None:
    key, public, message = tmp_path / "key.pem", tmp_path / "key.pub", tmp_path / "message"
    message.write_bytes(uploader_message(A))
    assert message.read_bytes() == b"slipway-artifact-v1\n" + b"a" * 64
    openssl("genpkey", "-algorithm", "ed25519", "-out", str(key))
    openssl("pkey", "-in", str(key), "-pubout", "-out", str(public))
    made = openssl("pkeyutl", "-sign", "-inkey", str(key), "-rawin", "-in", str(message))
    signature, public_key = base64.b64encode(made).decode(), parse_public_key(public.read_text())
    assert uploader_signature_holds(public_key, A, signature)
    assert not uploader_signature_holds(public_key, B, signature)
    assert not uploader_signature_holds(SIGNER.public, A, signature)
    with pytest.raises(ValueError, match="a private key"):
        parse_public_key(key.read_text())


def openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


def test_uploader_signature__the_portal_s_own_key__cannot_stand_for_a_seal() -> None:
    signature = SIGNER.seal(A, {})["signature"]
    assert not uploader_signature_holds(SIGNER.public, A, signature)


def test_parse_key__base64_of_any_kind__the_bytes() -> None:
    key = bytes([251, 255]) * 16
    for text in (base64.b64encode(key), base64.urlsafe_b64encode(key), base64.urlsafe_b64encode(key).rstrip(b"=")):
        assert parse_key(f" {text.decode()}\n") == key


@pytest.mark.parametrize("text", ["", "abc", "%" * 44, base64.b64encode(b"x" * 31).decode(), "é" * 44])
def test_parse_key__anything_else__value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_key(text)
