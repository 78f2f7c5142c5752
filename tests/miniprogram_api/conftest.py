"""An app with scripted platforms, and somebody signed in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from campus import sessions
from campus.sessions import Known
from core.db import run
from models.people import IdentityKind, Person
from tests.miniprogram_api import fakes


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
def signed_in(db: Any) -> Callable[..., dict[str, str]]:
    """The headers of a fresh session of that person, or of a visitor who is nobody yet."""

    def headers(person: Person | None, *, way: str = "wecom", subject: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {fresh_token(person, way=way, subject=subject)}"}

    return headers


def fresh_token(person: Person | None, *, way: str = "wecom", subject: str | None = None) -> str:
    from core import clock

    known = Known(IdentityKind(way), subject) if subject else None
    return run(
        lambda s: sessions.open_session(
            s,
            door="api",
            way=way,
            identity=known,
            person_id=person.id if person else None,
            now=clock.now(),
            ip="127.0.0.1",
            agent="test",
        )
    )
