"""What a newcomer finds: a model with two trained versions, one served, the other ready to be rolled out."""

from __future__ import annotations

from django.utils.translation import gettext as _

from inference.endpoints.services import create_endpoint
from inference.endpoints.switching import promote
from inference.models import Endpoint
from portal.local.demo.export import to_onnx
from portal.local.demo.train import SPECIES, Classifier, train
from registry.access.principal import SYSTEM
from registry.models import AuditEvent, ModelVersion, Project, RegisteredModel, VersionStatus
from registry.services.aliases import set_alias
from registry.services.catalog import create_model
from registry.services.versions import About, upload_version
from registry.tasks import validate_version

MODEL, ENDPOINT = "iris-species", "iris"
# It names the fields and bars of the Try-it form and fills it with a flower; V1 and jobs answer with the names, too.
MANIFEST = {
    "labels": {"label": list(SPECIES), "probabilities": list(SPECIES)},
    "inputs": {"X": {"features": ["sepal length", "sepal width", "petal length", "petal width"]}},
    "example": {"X": [5.9, 3.0, 5.1, 1.8]},
}
ABOUT = """Tells three species of iris apart by four lengths in centimetres: sepal length, sepal width, petal length,
petal width. Trained on Fisher's table of 1936 when this portal was first started; every fifth flower was held out, and
the metrics are those on the held-out ones. Labels: {labels}."""


def ensure_demo(project: Project) -> None:
    """Makes the demo once; who deletes it is left in peace. An interrupted start is carried on."""
    if AuditEvent.objects.filter(action="endpoint.promoted", object_name=ENDPOINT).exists():
        return
    labels = ", ".join(f"{number} {name}" for number, name in enumerate(SPECIES))
    model = RegisteredModel.objects.filter(name=MODEL, deleted_at=None).first()
    model = model or create_model(
        SYSTEM, project, MODEL, description=ABOUT.format(labels=labels), tags={"demo": "iris"}
    )
    linear = _version(model, 1, train((), steps=60, rate=0.3), _("Softmax regression: one layer, 15 numbers."))
    hidden = _version(model, 2, train((8,), steps=400, rate=0.1), _("A small network: eight hidden units, 67 numbers."))
    if linear.status != VersionStatus.READY or hidden.status != VersionStatus.READY:
        return
    set_alias(SYSTEM, linear, "champion")
    set_alias(SYSTEM, hidden, "challenger")
    endpoint = Endpoint.objects.filter(slug=ENDPOINT, deleted_at=None).first()
    endpoint = endpoint or create_endpoint(SYSTEM, model, ENDPOINT, description=_("Which iris is this?"))
    promote(SYSTEM, endpoint, linear, reason=_("First version of the demo"))


def _version(model: RegisteredModel, number: int, classifier: Classifier, description: str) -> ModelVersion:
    version = ModelVersion.objects.filter(model=model, number=number).first() or upload_version(
        SYSTEM,
        model,
        [to_onnx(classifier)],
        About(
            file_name=f"iris-{number}.onnx",
            description=description,
            manifest=MANIFEST,
            metrics={"accuracy": round(classifier.accuracy, 4), "log_loss": round(classifier.log_loss, 4)},
        ),
    )
    validate_version(version.pk)
    version.refresh_from_db()
    return version
