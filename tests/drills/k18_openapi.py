"""K18: schemathesis over our own description, as each role, and every object × every role. DRILLS K18.

In one process, on SQLite, with scripted platforms: 0 server errors, 0 answers that /openapi.json does not describe, 0
cross-user reads. Controls: a route that shows a repair without asking who looks must be found by the matrix, and an
endpoint that breaks its own description must be found by schemathesis.

    python -m tests.drills.k18_openapi [--short] [--seed N] [--examples N]
"""

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import schemathesis
import sqlalchemy as sa
from flask import Flask, jsonify
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.transport.wsgi import WSGITransport

import models  # noqa: F401  makes every table known
from core import crypto, db, log
from core.db import reading
from models.base import Base
from models.repairs import Ticket
from tests.miniprogram_api import fakes
from tests.miniprogram_api.conftest import open_session
from tests.miniprogram_api.matrix import ROLES, lay_out, walk
from tests.miniprogram_api.world import World, make_world

_send = WSGITransport.send


def _send_in_process(self: WSGITransport, case: Any, **options: Any) -> Any:
    # schemathesis 4.32: a check's own calls bring settings of a socket, which a call in process does not understand.
    return _send(self, case, **{name: one for name, one in options.items() if name not in SOCKET})


SOCKET = ("max_redirects", "verify", "cert", "proxies")
WSGITransport.send = _send_in_process  # type: ignore[method-assign]  # see above

SHORT_ROLES = ("requester", "assignee", "nobody")
ALL_CHECKS_BUT = {
    # A rule may refuse what the description allows (an unknown place, a used code): 422 with a reason is an answer.
    "positive_data_acceptance": {
        "expected-statuses": ["2xx", "3xx", "401", "403", "404", "409", "422", "429", "502", "503"]
    },
    # The platforms are scripted to know no code, so 502 and 503 are what the drill asks for itself.
    "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "502", "503"]},
    "negative_data_rejection": {
        "expected-statuses": ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "429"]
    },
    # Whose a thing is, the matrix asks more exactly.
    "object_level_authorization": {"enabled": False},
}


class AlwaysSignedIn:
    """In front of the app: the role's stand-in token becomes a session that is open now, although the drill signs out."""

    def __init__(self, app: Flask, world: World, role: str) -> None:
        self.app, self.world, self.role = app, world, role
        self.stand_in = f"stand-in-for-{role}-{'0' * 20}"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_AUTHORIZATION") == f"Bearer {self.stand_in}":
            environ["HTTP_AUTHORIZATION"] = f"Bearer {self.token()}"
        return self.app(environ, start_response)

    def token(self) -> str:
        person = self.world.people.get(self.role)
        return open_session(person) if person else open_session(None, way="mini", subject="o-stranger")


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--short", action="store_true", help="one seed, three roles")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--examples", type=int, default=0, help="cases per operation (short 3, else 40)")
    said = words.parse_args()
    quiet()
    began = time.monotonic()
    seeds = [said.seed] if said.short else [said.seed, said.seed + 1]
    roles = SHORT_ROLES if said.short else ROLES
    examples = said.examples or (3 if said.short else 40)

    counts: Counter[str] = Counter()
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as directory:
        asked, found = matrix(Path(directory))
        counts["matrix"] += asked
        problems += found
        for seed in seeds:
            for role in roles:
                cases, found = describe(Path(directory), role, seed, examples)
                counts["cases"] += cases
                problems += [f"{role}: {one}" for one in found]
        missed = controls(Path(directory), said.seed)
    for line in [*dict.fromkeys(problems), *missed]:
        print(" ", line)
    good = not problems and not missed and counts["cases"] > 0
    print(
        f"k18_openapi seed={said.seed} roles={len(roles)} seeds={len(seeds)} cases={counts['cases']} matrix={counts['matrix']}"
        f" problems={len(problems)} controls_missed={len(missed)} seconds={time.monotonic() - began:.0f}"
        f" {'PASS' if good else 'FAIL'}"
    )
    return 0 if good else 1


def quiet() -> None:
    log.set_up(level="CRITICAL")
    logging.getLogger("schemathesis").setLevel(logging.CRITICAL)
    crypto.use(crypto.Vault(("canary-data-key",)))


def campus(directory: Path) -> tuple[Flask, World]:
    """A fresh campus in a fresh database, and the app on it, which counts nobody's requests."""
    path = Path(tempfile.mkdtemp(dir=directory))
    database = db.connect(f"sqlite:///{path / 'k18.db'}")
    Base.metadata.create_all(database.engine)
    world = make_world()
    world.tokens = {role: open_session(person) for role, person in world.people.items()}
    world.tokens["unbound"] = open_session(None, way="mini", subject="o-stranger")
    nobody = SimpleNamespace(mini=fakes.Mini({}), official=fakes.Official({}), wecom=fakes.WeCom({}), sso=fakes.Sso({}))
    app = fakes.make_app(fakes.make_house(path, platforms=nobody), RATELIMIT_ENABLED=False)
    return app, world


def matrix(directory: Path, spoil: Callable[[Flask], None] = lambda app: None) -> tuple[int, list[str]]:
    """Every object × every role: how many questions, and what should not have been answered."""
    app, world = campus(directory)
    spoil(app)
    asked, findings = walk(app, world, lay_out(world, app))
    return asked, [f"{one.role} {one.method} {one.path}: {one.why}" for one in findings]


def describe(
    directory: Path, role: str, seed: int, examples: int, spoil: Callable[[Flask], None] = lambda app: None
) -> tuple[int, list[str]]:
    """schemathesis as that role: how many cases it sent, and every check that failed."""
    app, world = campus(directory)
    spoil(app)
    door = AlwaysSignedIn(app, world, role)
    settings: dict[str, Any] = {
        "seed": seed,
        "headers": {} if role == "nobody" else {"Authorization": f"Bearer {door.stand_in}"},
        "generation": {"max-examples": examples, "database": "none"},
        "checks": ALL_CHECKS_BUT,
        "phases": {"stateful": {"generation": {"max-examples": examples}}},
        "continue-on-failure": True,
    }
    schema = schemathesis.openapi.from_wsgi("/openapi.json", door, config=SchemathesisConfig.from_dict(settings))
    cases, found = 0, []
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            found.append(
                f"the drill itself: {getattr(event, 'value', None) or getattr(event, 'exception', event)!r}"[:300]
            )
        if not isinstance(event, events.ScenarioFinished):
            continue
        cases += len(event.recorder.cases)
        for case_id, checks in event.recorder.checks.items():
            asked = event.recorder.cases[case_id].value
            for check in checks:
                if check.failure_info is not None:
                    failure = check.failure_info.failure
                    found.append(f"{asked.method} {asked.path} [{check.name}] {failure.title}: {failure.message}"[:500])
    return cases, found


def controls(directory: Path, seed: int) -> list[str]:
    """The drill's own failures: broken variants that it did not find."""

    def tells_everybody(app: Flask) -> None:
        @app.get("/api/v1/test-only/<no>")
        def get_without_asking(no: str) -> Any:
            with reading() as s:
                return jsonify(text=s.scalar(sa.select(Ticket.text).where(Ticket.no == no)))

    def breaks_its_word(app: Flask) -> None:
        kept = app.view_functions["api.get_privacy"]
        app.view_functions["api.get_privacy"] = wraps(kept)(lambda: jsonify(version=1))

    missed = []
    if not any("/test-only/" in one for one in matrix(directory, tells_everybody)[1]):
        missed.append("control: a route without an owner check was not found by the matrix")
    if not any("/privacy" in one for one in describe(directory, "nobody", seed, 1, breaks_its_word)[1]):
        missed.append("control: an answer against its description was not found by schemathesis")
    return missed


if __name__ == "__main__":
    sys.exit(main())
