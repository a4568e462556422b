"""`manage.py simulate_rollouts`: the shipped rules on made-up traffic, beside the goals and what others would do."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.rollouts.simulation.figures import RIVALS, Figures, figures_of
from inference.rollouts.simulation.moving import growing
from inference.rollouts.simulation.rows import ROWS, Row
from inference.rollouts.simulation.runs import run_many

MOVES = "moves"
WIDTHS = (58, 22, 34, 5, 26, 26, 26)
TOLERATED_SHARE = 0.002


class Command(BaseCommand):
    help = "Simulate rollouts with the shipped analysis and print what they reach beside the goals and other rules."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rollouts", type=int, default=1_000, help="How many per row.")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--only", choices=[*(row.name for row in ROWS), MOVES], help="One row.")
        parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["rollouts"] < 1 or options["processes"] < 1:
            raise CommandError("Give at least one rollout and one process.")
        self._line("", "goal", "measured", "met", *RIVALS)
        for row in ROWS:
            if options["only"] in (None, row.name):
                self._row(row, options)
        if options["only"] in (None, MOVES):
            self._moves()

    def _row(self, row: Row, options: dict[str, Any]) -> None:
        runs = run_many(
            options["rollouts"], options["seed"], row.plan, row.traffic, options["processes"], row.rival_seconds
        )
        self._print(figures_of(row, runs))

    def _moves(self) -> None:
        moves = growing(100_000)
        worst = max(abs(move.share - move.wanted) for move in moves)
        n_backwards = sum(move.n_backwards for move in moves)
        self._print(
            Figures(
                "weight change, 100 000 keys",
                "+- 0.2 points, 0 back",
                f"+- {100 * worst:.2f} points, {n_backwards} back",
                worst <= TOLERATED_SHARE and not n_backwards,
                ("-",) * len(RIVALS),
            )
        )

    def _print(self, figures: Figures) -> None:
        met = "yes" if figures.is_met else "NO"
        self._line(figures.title, figures.goal, figures.measured, met, *figures.others)

    def _line(self, *cells: str) -> None:
        padded = (cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True))
        self.stdout.write(" ".join(padded).rstrip())
        self.stdout.flush()
