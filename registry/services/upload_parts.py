"""One part of an upload: taken, proven, put to its place. Any order, any number of callers, as often as they like.

The row of a part is the truth: it is written in one transaction with the bytes' way to their place, and its number is
unique within the upload. So of two callers with the same part the second waits for that transaction only, and bytes
that stand in a row never change.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, InvalidInput, Unprocessable
from registry.access import policy
from registry.access.principal import Principal
from registry.artifacts.parts import ReceivedPart, Slot
from registry.models import Upload, UploadPart, UploadState
from registry.services.uploads import closed, file_of, n_parts, touch

Read = Callable[[int], bytes]


def put_part(
    principal: Principal, upload: Upload, number: int, read: Read, length: int | None, sha256: str
) -> UploadPart:
    """Takes the part's bytes from `read`. `length` is what the caller announced, `sha256` his digest or empty.

    The same bytes again change nothing and are not read where the digest says so. Raises Conflict for other bytes.
    """
    policy.require(principal, "version.upload", upload.project_id)
    expected = _length_of(upload, number)
    _check_announced(number, expected, length)
    with file_of(upload).claimed(Slot(number, (number - 1) * upload.part_size, expected)) as slot:
        # Asked with the claim in hand: a row that comes later comes of a place that was taken over.
        known = upload.parts.filter(number=number).first()
        if known is not None and sha256:
            return _same(known, sha256)
        _check_open(upload, known)
        # What stands in a row is compared only, never written over.
        with file_of(upload).received(read, slot._replace(claim=None) if known else slot) as part:
            _check_received(part, expected, sha256)
            return _same(known, part.sha256) if known else _settle(upload, part)


def _length_of(upload: Upload, number: int) -> int:
    """Bytes of a part: all alike but the last."""
    count = n_parts(upload)
    if not 1 <= number <= count:
        raise InvalidInput(
            _("This upload has the parts 1 to %(n)s.") % {"n": count},
            code="part_number",
            details={"number": number, "n_parts": count},
        )
    return min(upload.part_size, upload.size - (number - 1) * upload.part_size)


def _same(known: UploadPart, sha256: str) -> UploadPart:
    if known.sha256 != sha256:
        raise Conflict(
            _("Part %(n)s is there already, with other bytes. Parts never change: begin a new upload for another one.")
            % {"n": known.number},
            code="part_differs",
            details={"number": known.number, "sha256": known.sha256},
        )
    return known


def _check_open(upload: Upload, known: UploadPart | None) -> None:
    if upload.state != UploadState.OPEN and known is None:
        raise closed(upload)


def _check_received(part: ReceivedPart, expected: int, sha256: str) -> None:
    if part.size != expected:
        raise InvalidInput(
            _("The part ended after %(got)s of %(expected)s bytes: send it again.")
            % {"got": part.size, "expected": expected},
            code="part_size",
            details={"size": expected, "sent": part.size},
        )
    if sha256 and part.sha256 != sha256:
        raise Unprocessable(
            _("The bytes that came have another SHA-256 than you announced: send the part again."),
            code="digest_mismatch",
            details={"sha256": part.sha256, "announced": sha256},
        )


def _settle(upload: Upload, part: ReceivedPart) -> UploadPart:
    """The row first: whoever brings the same part meanwhile waits at its unique number until the bytes lie."""
    number = part.slot.number
    try:
        with transaction.atomic():
            row = UploadPart.objects.create(upload=upload, number=number, sha256=part.sha256, size=part.size)
            if not Upload.objects.filter(pk=upload.pk, state=UploadState.OPEN).exists():
                raise closed(upload)
            file_of(upload).place(part)
    except IntegrityError:
        return _same(UploadPart.objects.get(upload=upload, number=number), part.sha256)
    touch(upload)
    return row


def _check_announced(number: int, expected: int, length: int | None) -> None:
    if length != expected:
        raise InvalidInput(
            _("Part %(n)s has %(expected)s bytes, and %(sent)s were announced: send Content-Length with exactly that.")
            % {"n": number, "expected": expected, "sent": _("none") if length is None else length},
            code="part_size",
            details={"number": number, "size": expected, "sent": length},
        )
