"""`manage.py sign_model FILE… --key KEY`: prints an uploader's signature as the API takes it, without any store."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.core.management.base import BaseCommand, CommandError, CommandParser

from registry.artifacts.model_files import ModelFile, bundle_digest
from registry.artifacts.seals import fingerprint, raw, uploader_message


class Command(BaseCommand):
    help = "Sign the digest of a model, an archive or the files of a bundle with your own key."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "files", nargs="+", metavar="FILE", help="of a bundle the ONNX file first; NAME=PATH where they differ"
        )
        parser.add_argument("--key", required=True, help="the private key: PEM, made by openssl genpkey")

    def handle(self, *args: Any, **options: Any) -> None:
        key = _private_key(Path(options["key"]))
        try:
            files = [_file(text) for text in options["files"]]
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}.") from None
        sha256 = files[0].sha256 if len(files) == 1 else bundle_digest(files)
        signature = base64.b64encode(key.sign(uploader_message(sha256))).decode()
        self.stdout.write(json.dumps({"key": fingerprint(raw(key.public_key())), "signature": signature}))


def _file(text: str) -> ModelFile:
    name, _, path = text.rpartition("=")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ModelFile(name or Path(path).name, digest, Path(path).stat().st_size)


def _private_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError):
        raise CommandError(f"{path} is no private key without a password in PEM.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise CommandError(f"{path} is no Ed25519 key: make one with openssl genpkey -algorithm ed25519.")
    return key
