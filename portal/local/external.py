"""Stores that the environment names: waits until they answer, and says plainly when they don't."""

from __future__ import annotations

import os
from collections.abc import Callable
from urllib.parse import urlsplit

import environ
import psycopg2
import redis

from portal.local.console import CannotStart, say
from portal.local.supervisor import Supervisor

_WAIT_SECONDS = 30.0


def wait_until_they_answer(supervisor: Supervisor) -> None:
    for variable, ask in (("DATABASE_URL", ask_postgres), ("REDIS_URL", ask_redis)):
        if url := os.environ.get(variable):
            _wait(supervisor, variable, url, ask)


def _wait(supervisor: Supervisor, variable: str, url: str, ask: Callable[[str], str]) -> None:
    trouble = [ask(url)]
    if not trouble[0]:
        return

    def answers() -> bool:
        trouble[:] = [ask(url)]
        return not trouble[0]

    say(f"Waiting for the store that {variable} names ...")
    try:
        supervisor.wait_for(answers, _WAIT_SECONDS, variable)
    except CannotStart:
        raise CannotStart(
            f"The store that {variable} names ({without_password(url)}) does not answer: {trouble[0]}\n"
            f"Start it, correct {variable}, or unset it to use the embedded one."
        ) from None


def ask_postgres(url: str) -> str:
    """What is wrong, or an empty text."""
    found = environ.Env.db_url_config(url)
    parts = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    words = {word: found[key] for word, key in parts.items() if found.get(key)}
    try:
        psycopg2.connect(**{**words, "connect_timeout": 3, **found.get("OPTIONS", {})}).close()
    except psycopg2.Error as error:
        return str(error).strip().splitlines()[0]
    return ""


def ask_redis(url: str) -> str:
    try:
        redis.Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3).ping()
    except (redis.RedisError, ValueError) as error:
        return str(error)
    return ""


def without_password(url: str) -> str:
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":***@") if password else url
