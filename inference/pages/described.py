"""What is known of a version beyond its signature: its manifest, and the tags that did its work before there was one.

Three tags of an older version make its pages read better: `features` and `classes` (names, separated by commas) and
`example` (a JSON list of numbers that fill the form). They name things on pages only; nothing is scaled by them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from typing import Any

from django.utils.translation import gettext as _

from inference.pages.examples import example_values, one_row
from inference.protocol.preprocessing import Travels, travels_with
from portal.lib.errors import Conflict
from registry.artifacts.manifest import with_report_labels
from registry.artifacts.signature import Signature, TensorSpec
from registry.models import ModelVersion


@dataclass(frozen=True, slots=True)
class Described:
    """`examples` are one row's flat values by input, as a caller sends them; only what somebody gave."""

    signature: Signature
    travels: Travels
    examples: dict[str, list[Any]]

    def names_of(self, spec: TensorSpec) -> list[str]:
        return list(self.travels.features.get(spec.name, ()))

    def row_of(self, spec: TensorSpec) -> list[Any]:
        """One row to begin with; empty where there would be too many values for a page."""
        given = self.examples.get(spec.name, [])
        return given if len(given) == prod(one_row(spec)) else example_values(spec)


def described(version: ModelVersion) -> Described:
    """Raises Conflict for a version without a signature, which every ready version has."""
    if version.signature is None:
        raise Conflict(_("Only a ready version can be tried."), code="version_not_ready")
    signature = Signature.from_json(version.signature)
    manifest = with_report_labels(version.manifest, (version.report or {}).get("facts", {}))
    travels = travels_with(signature, _with_tags(manifest, signature, version.tags))
    examples = manifest.get("example") or _tagged_example(signature, version.tags)
    return Described(signature, travels, {name: values for name, values in examples.items() if values})


def _with_tags(manifest: dict[str, Any], signature: Signature, tags: dict[str, str]) -> dict[str, Any]:
    inputs, labels = dict(manifest.get("inputs", {})), dict(manifest.get("labels", {}))
    features, classes = _listed(tags, "features"), _listed(tags, "classes")
    if features and not inputs and len(signature.inputs) == 1 and signature.inputs[0].shape[-1:] == (len(features),):
        inputs[signature.inputs[0].name] = {"features": features}
    if classes and not labels:
        labels = {spec.name: classes for spec in signature.outputs if _may_name(spec, classes)}
    return {**manifest, "inputs": inputs, "labels": labels}


def _may_name(spec: TensorSpec, classes: list[str]) -> bool:
    return spec.datatype != "BYTES" and (len(spec.shape) < 2 or spec.shape[1] in (-1, 1, len(classes)))


def _listed(tags: dict[str, str], tag: str) -> list[str]:
    return [name.strip() for name in tags.get(tag, "").split(",") if name.strip()]


def _tagged_example(signature: Signature, tags: dict[str, str]) -> dict[str, list[Any]]:
    try:
        example = json.loads(tags.get("example", "[]"))
    except (ValueError, RecursionError):
        return {}
    is_row = isinstance(example, list) and len(signature.inputs) == 1
    return {signature.inputs[0].name: example} if is_row else {}
