"""A console with real rules on an empty campus, and operators who are signed in."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import console
from campus import sessions
from core import clock, config, web
from core.db import Database, run
from core.files import FileStore
from core.house import KEY, House
from core.redis import Cache
from models.people import Person
from platforms import Platforms
from tests.kit import make_person

CSP = "default-src 'self'"


def settings_of_the_house(**server: Any) -> config.Config:
    return config.Config.model_validate(
        {
            "server": {
                "base_url": "http://localhost",
                "secret_key": "canary-secret-key",
                "data_keys": ("canary-data-key",),
                "school": "江南大学",
                **server,
            }
        }
    )


def make_app(tmp_path: Any, *, platforms: Platforms | None = None, **server: Any) -> Flask:
    """A web process with the console only; Redis is away, as it may be."""
    settings = settings_of_the_house(**server)
    app = Flask("console-test", static_folder=None)
    app.extensions[KEY] = House(
        settings,
        platforms or Platforms(),
        Cache("redis://127.0.0.1:1/0", timeout_s=0.05),
        FileStore.open(config.Files(url=f"file:{tmp_path}/files")),
    )
    web.furnish(app, settings.server, door="web", csp=CSP)
    console.register(app)
    return app


@pytest.fixture
def app(db: Database, tmp_path: Any) -> Flask:
    return make_app(tmp_path)


def sign_in(client: FlaskClient, person: Person) -> str:
    """The person is at the console, without the sign-in page. The token."""
    token = run(
        lambda s: sessions.open_session(
            s,
            door="console",
            way="password",
            identity=None,
            person_id=person.id,
            now=clock.now(),
            ip="127.0.0.1",
            agent="test",
        )
    )
    client.set_cookie("houqin_console", token)
    return token


class Desk:
    """A browser without JavaScript: reads pages, and sends forms with the token of the page it read last."""

    def __init__(self, client: FlaskClient, person: Person | None) -> None:
        self.client, self.person = client, person
        self._csrf = ""

    def get(self, path: str, **kwargs: Any) -> Any:
        return self.client.get(f"/console{path}", **kwargs)

    @property
    def csrf(self) -> str:
        if not self._csrf:
            page = self.client.get("/console/sign-in" if self.person is None else "/console/account").get_data(
                as_text=True
            )
            self._csrf = page.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]
        return self._csrf

    def post(self, path: str, *, htmx: bool = False, **data: Any) -> Any:
        headers = {"HX-Request": "true", "X-CSRFToken": self.csrf} if htmx else {}
        return self.client.post(
            f"/console{path}",
            data={"csrf_token": self.csrf, **data},
            headers=headers,
            content_type="multipart/form-data",
        )


@pytest.fixture
def desk(app: Flask) -> Callable[..., Desk]:
    """`desk("dispatcher")`: a new person with these roles sits at the console. `desk()`: nobody is signed in."""

    def sit(*roles: str, person: Person | None = None, name: str = "赵敏", **values: Any) -> Desk:
        client = app.test_client()
        if person is None and roles:
            person = make_person(name, roles=roles, kind="staff", **values)
        if person is not None:
            sign_in(client, person)
        return Desk(client, person)

    return sit
