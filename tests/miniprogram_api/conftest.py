"""An app with scripted platforms, a campus, and one of everybody signed in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from campus import sessions
from campus.sessions import Known
from core import clock
from core.db import run
from models.people import IdentityKind, Person
from tests.miniprogram_api import fakes
from tests.miniprogram_api.world import World, make_world


@pytest.fixture
def house(db: Any, tmp_path: Path) -> Any:
    return fakes.make_house(tmp_path)


@pytest.fixture
def app(house: Any) -> Any:
    return fakes.make_app(house)


@pytest.fixture
def client(app: Any) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def world(db: Any) -> World:
    """The campus, with a session for each role; `unbound` is somebody in WeChat whom nobody knows."""
    world = make_world()
    world.tokens = {role: open_session(person) for role, person in world.people.items()}
    world.tokens["unbound"] = open_session(None, way="mini", subject="o-stranger")
    return world


@pytest.fixture
def as_(client: FlaskClient, world: World) -> Callable[..., Any]:
    """`as_("requester").get("/repairs")`: one request as that role; `nobody` sends no token."""
    return lambda role: Asking(client, world.tokens.get(role))


class Asking:
    """A client with a token, under /api/v1."""

    def __init__(self, client: FlaskClient, token: str | None) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def ask(path: str, **options: Any) -> Any:
            headers = {**self.headers, **options.pop("headers", {})}
            return getattr(self.client, method)(f"/api/v1{path}", headers=headers, **options)

        return ask


def open_session(person: Person | None, *, way: str = "wecom", subject: str | None = None) -> str:
    """The token of a fresh session."""
    known = Known(IdentityKind(way), subject) if subject else None
    who = person.id if person else None
    return run(
        lambda s: sessions.open_session(
            s, door="api", way=way, identity=known, person_id=who, now=clock.now(), ip="127.0.0.1", agent="test"
        )
    )
