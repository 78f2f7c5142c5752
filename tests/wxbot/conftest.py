"""A door with an app behind it, on SQLite or on a real MariaDB, and a platform that pushes to it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

from core.db import Database, reading
from models.arrivals import Arrival
from tests.kit import NOON
from tests.wxbot import wire
from wxbot.deeds import TABLE, Table
from wxbot.door import CallbackDoor
from wxbot.inbox import callback_database


def app_behind(_environ: Any, start_response: Any) -> list[bytes]:
    """Whatever the Flask app would say."""
    start_response("418 Teapot", [("Content-Type", "text/plain")])
    return [b"behind"]


class Platform:
    """Pushes to the door and reads what it answers."""

    def __init__(self, door: CallbackDoor) -> None:
        self.door = door
        self.client = Client(door)

    def push(self, sender: wire.Sender, fields: dict[str, Any], now: datetime = NOON, **changes: Any) -> TestResponse:
        query, body = sender.request(fields, now, **changes)
        return self.post(sender.path, query, body)

    def post(self, path: str, query: str, body: bytes, **more: Any) -> TestResponse:
        return self.client.post(path, query_string=query, data=body, **{"content_type": "text/xml", **more})

    def call(self, environ: dict[str, Any]) -> Response:
        """The answer to an environ as it is, with its own input stream."""
        return Response.from_app(self.door, environ)

    def ask(self, sender: wire.Sender, fields: dict[str, Any], now: datetime = NOON) -> dict[str, Any]:
        """The reply to a push that must be answered 200."""
        answer = self.push(sender, fields, now)
        assert answer.status_code == 200, answer.data
        return sender.open(answer.data)


@pytest.fixture
def noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


class Doors:
    """Makes doors on a database and closes them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made: list[CallbackDoor] = []

    def __call__(self, table: Table = TABLE, **options: Any) -> Platform:
        own = callback_database(self._database.url)
        door = CallbackDoor(app_behind, config=wire.config(), database=own, table=table, **options)
        self._made.append(door)
        return Platform(door)

    def close(self) -> None:
        for door in self._made:
            door.inbox.dispose()


@pytest.fixture
def make_platform(either_db: Database, noon: None) -> Iterator[Doors]:
    """Platforms that push to doors of the test's own, on both databases."""
    doors = Doors(either_db)
    yield doors
    doors.close()


@pytest.fixture
def platform(db: Database, noon: None) -> Iterator[Platform]:
    """A platform that pushes to the door as it is in production."""
    doors = Doors(db)
    yield doors()
    doors.close()


def arrivals() -> list[tuple[str, str, str]]:
    """What is stored: door, key and reply."""
    with reading() as s:
        return [tuple(row) for row in s.execute(sa.select(Arrival.door, Arrival.key, Arrival.reply))]
