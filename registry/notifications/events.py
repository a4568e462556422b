"""What people and programs can be told of, as data: each event and what it says happened."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

EVENTS: dict[str, object] = {
    "rollout.started": _("A rollout began"),
    "rollout.failed_validation": _("A rollout's version did not pass its checks"),
    "rollout.held": _("A rollout holds its share of the traffic"),
    "rollout.resumed": _("A held rollout goes on"),
    "rollout.advanced": _("A rollout took its next step"),
    "rollout.waiting": _("A rollout waits for a person"),
    "rollout.promoted": _("A rollout ended well: its version takes all traffic"),
    "rollout.rolled_back": _("A rollout was taken back"),
    "rollout.aborted": _("A rollout was ended by a person"),
    "experiment.concluded": _("Somebody ended an experiment"),
    "experiment.decided": _("An experiment has its answer"),
    "endpoint.promoted": _("A version was promoted by hand"),
    "endpoint.rolled_back": _("An endpoint went back to what it served before"),
    "version.ready": _("A version passed its validation"),
    "version.rejected": _("A version was rejected"),
    "version.tampered": _("A version is not loaded, as it is no longer what was registered"),
    "version.quarantined": _("A version was locked away because it killed its process"),
}
# Only ever sent to the one webhook whose page asked for it.
TEST_EVENT = "webhook.test"
