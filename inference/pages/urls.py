from __future__ import annotations

from django.urls import path

from inference.pages import (
    captured,
    disagreements,
    endpoint_settings,
    endpoints,
    experiments,
    golden,
    jobs,
    live,
    replays,
    rollout_acts,
    rollout_new,
    rollouts,
    sessions,
    switching,
    tryout,
)

urlpatterns = [
    path("endpoints", endpoints.endpoints, name="endpoints"),
    path("endpoints/<str:slug>", endpoints.endpoint, name="endpoint"),
    path("endpoints/<str:slug>/live", live.live, name="endpoint-live"),
    path("endpoints/<str:slug>/promote", switching.promote, name="promote"),
    path("endpoints/<str:slug>/split", switching.split, name="split"),
    path("endpoints/<str:slug>/rollback", switching.roll_back, name="rollback"),
    path("endpoints/<str:slug>/rehearse", switching.rehearse, name="rehearse"),
    path("endpoints/<str:slug>/settings", endpoint_settings.settings, name="endpoint-settings"),
    path("endpoints/<str:slug>/service", endpoint_settings.service, name="endpoint-service"),
    path("endpoints/<str:slug>/delete", endpoints.delete, name="endpoint-delete"),
    path("endpoints/<str:slug>/rollouts/new", rollout_new.new, name="rollout-new"),
    path("rollouts", rollouts.rollouts, name="rollouts"),
    path("rollouts/<int:rollout_id>", rollouts.rollout, name="rollout"),
    path("rollouts/<int:rollout_id>/live", rollouts.live, name="rollout-live"),
    *(
        path(f"rollouts/<int:rollout_id>/{verb}", rollout_acts.act, {"verb": verb}, name=f"rollout-{verb}")
        for verb in rollout_acts.ACTS
    ),
    path("endpoints/<str:slug>/experiments", experiments.experiments, name="experiments"),
    path("experiments/<int:experiment_id>", experiments.experiment, name="experiment"),
    path("experiments/<int:experiment_id>/live", experiments.live, name="experiment-live"),
    path("experiments/<int:experiment_id>/conclude", experiments.conclude_page, name="experiment-conclude"),
    path("rollouts/<int:rollout_id>/disagreements", disagreements.disagreements, name="rollout-disagreements"),
    path(
        "rollouts/<int:rollout_id>/disagreements/<int:disagreement_id>",
        disagreements.disagreement,
        name="rollout-disagreement",
    ),
    path("endpoints/<str:slug>/captured", captured.captured, name="endpoint-records"),
    path("endpoints/<str:slug>/captured/<int:record_id>", captured.captured_request, name="endpoint-record"),
    path("models/<str:name>/versions/<int:number>/try", tryout.try_version, name="try"),
    path("models/<str:name>/golden", golden.golden, name="golden"),
    path("models/<str:name>/golden/new", golden.new, name="golden-new"),
    path("models/<str:name>/golden/<int:golden_id>/delete", golden.delete, name="golden-delete"),
    path("models/<str:name>/versions/<int:number>/golden-run", golden.run, name="golden-run"),
    path("models/<str:name>/versions/<int:number>/release", sessions.release, name="version-release"),
    path("serving", sessions.sessions, name="sessions"),
    path("serving/live", sessions.live, name="sessions-live"),
    path("endpoints/<str:slug>/replays", replays.replays, name="replays"),
    path("replays/<int:replay_id>", replays.replay, name="replay"),
    path("replays/<int:replay_id>/progress", replays.progress, name="replay-progress"),
    path("jobs", jobs.jobs, name="jobs"),
    path("jobs/<uuid:job_id>", jobs.job, name="job"),
    path("jobs/<uuid:job_id>/progress", jobs.progress, name="job-progress"),
    path("jobs/<uuid:job_id>/cancel", jobs.cancel, name="job-cancel"),
]
