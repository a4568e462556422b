"""Whether callers of one version can call another one unchanged."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from registry.artifacts.signature import Signature, TensorSpec


def check_compatible(stable: Signature, candidate: Signature) -> list[str]:
    """One sentence for each key that would break callers; empty where nothing does. Further outputs break nobody."""
    return [*_inputs(stable, candidate), *_outputs(stable, candidate)]


def _inputs(stable: Signature, candidate: Signature) -> Iterable[str]:
    before, after = _by_name(stable.inputs), _by_name(candidate.inputs)
    for name in before.keys() - after.keys():
        yield _("it takes no input “%(name)s”") % {"name": name}
    for name in after.keys() - before.keys():
        yield _("it asks for a new input “%(name)s”") % {"name": name}
    for name in before.keys() & after.keys():
        yield from _narrower(_("input"), before[name], after[name])


def _outputs(stable: Signature, candidate: Signature) -> Iterable[str]:
    after = _by_name(candidate.outputs)
    for spec in stable.outputs:
        if spec.name not in after:
            yield _("it gives no output “%(name)s”") % {"name": spec.name}
        else:
            # What comes out may be narrower than before, never wider: the other way round than for inputs.
            yield from _narrower(_("output"), after[spec.name], spec)


def _by_name(specs: Iterable[TensorSpec]) -> dict[str, TensorSpec]:
    return {spec.name: spec for spec in specs}


def _narrower(kind: str, given: TensorSpec, taken: TensorSpec) -> Iterable[str]:
    """What fits `given` has to fit `taken`."""
    if given.datatype != taken.datatype:
        yield _("%(kind)s “%(name)s” changes between %(a)s and %(b)s") % {
            "kind": kind,
            "name": given.name,
            "a": given.datatype,
            "b": taken.datatype,
        }
    elif len(given.shape) != len(taken.shape) or any(
        to != -1 and to != size for size, to in zip(given.shape, taken.shape, strict=False)
    ):
        yield _("%(kind)s “%(name)s” has another shape: %(a)s and %(b)s") % {
            "kind": kind,
            "name": given.name,
            "a": list(given.shape),
            "b": list(taken.shape),
        }
