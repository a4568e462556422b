"""`manage.py replay_rollout ID`: every decision of a rollout again, from its ledger."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inference.models import Rollout
from inference.rollouts.replaying import Replayed, replay
from inference.rollouts.words import e_value


class Command(BaseCommand):
    help = "Computes every decision of a rollout again from its ledger, and fails where one would be another today."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("rollout", type=int)
        parser.add_argument("--all", action="store_true", help="also print the looks that decided nothing")

    def handle(self, *_: Any, **options: Any) -> None:
        rollouts = Rollout.objects.select_related("endpoint", "stable", "candidate", "inherits")
        rollout = rollouts.filter(pk=options["rollout"]).first()
        if rollout is None:
            raise CommandError(f"There is no rollout {options['rollout']}.")
        found = replay(rollout)
        self.stdout.write(f"{rollout} · {rollout.state} · {rollout.seq} batches, {len(found)} looks")
        for one in found:
            if one.run.event or options["all"] or _is_wrong(one):
                self.stdout.write(_line(one))
        wrong = [one for one in found if _is_wrong(one)]
        if wrong:
            raise CommandError(f"{len(wrong)} of {len(found)} looks come out differently.")
        self.stdout.write("Every look comes out the same.")


def _is_wrong(one: Replayed) -> bool:
    return one.again != one.run.event or bool(one.differs)


def _line(one: Replayed) -> str:
    run = one.run
    evidence = " ".join(f"{name} {e_value(value)}" for name, value in sorted(run.ln_e.items()))
    verdict = "same" if not _is_wrong(one) else f"NOW {one.again or 'nothing'} {' '.join(one.differs)}"
    return f"{run.at:%H:%M:%S} batch {run.seq:>5} stage {run.position} {run.event or '-':<10} {evidence:<40} {verdict}"
