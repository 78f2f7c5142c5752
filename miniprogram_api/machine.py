"""The machine room: alive, ready, counted; and the files that prove a domain is ours. DESIGN §4, ASVS 13.

/healthz asks nobody: it says that the process answers. /readyz says whether a request would be served, part by part;
Redis and the worker are told but not required, since everything but pushes works without them. /metrics is for
loopback, or for whoever knows the token that is derived from the secret key (docs/operations.md).
"""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Flask, Response, abort, current_app, jsonify, request
from sqlalchemy.orm import Session

from core import clock, crypto, db, log, metrics, web
from core.db import reading
from core.errors import CampusError, Forbidden
from core.house import house
from models import migrations
from models.job_runs import JobRun

machine = Blueprint("machine", __name__)

WORKER_IS_LATE = timedelta(minutes=5)
LOOPBACK = frozenset({"127.0.0.1", "::1"})
_VERIFY = re.compile(r"^(?:MP|WW)_verify_[A-Za-z0-9]{8,64}\.txt$")
_log = log.get(__name__)


@machine.get("/healthz")
def get_healthz() -> Response:
    """The process answers."""
    return jsonify(status="ok")


@machine.get("/readyz")
def get_readyz() -> tuple[Response, int]:
    """Whether a request would be served: 200 or 503, and each part by name."""
    needed = {"database": _works(_database), "files": _works(house().files.up)}
    told = {"redis": _works(house().cache.up), "worker": _works(_worker), "migrations": _works(_migrated)}
    ready = all(needed.values())
    parts = {name: "ok" if works else "away" for name, works in {**needed, **told}.items()}
    return jsonify(status="ok" if ready else "not ready", parts=parts), 200 if ready else 503


def _works(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except (CampusError, sa.exc.SQLAlchemyError) as why:
        _log.warning("not ready", part=getattr(ask, "__name__", "?"), why=type(why).__name__)
        return False


def _database() -> bool:
    """The database answers and its tables are there."""
    with reading() as s:
        s.execute(sa.select(JobRun.id).limit(1))
    return True


def _migrated() -> bool:
    """The tables are those of this release (`houqin db upgrade`). Looked at until it is so."""
    known = current_app.extensions.setdefault("houqin.migrated", set())
    engine = db.database().engine
    if engine.url not in known and migrations.is_current(engine):
        known.add(engine.url)
    return engine.url in known


def _worker() -> bool:
    """A worker ran a timed job lately."""
    with reading() as s:
        last = _last_run(s)
    return last is not None and clock.now() - last < WORKER_IS_LATE


def _last_run(s: Session) -> Any:
    return s.scalar(sa.select(sa.func.max(JobRun.finished_at)))


@machine.get("/metrics")
def get_metrics() -> Response:
    """What Prometheus reads. Raises Forbidden for everybody else."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if web.client_ip() not in LOOPBACK and not crypto.same(given, metrics_token()):
        raise Forbidden("只有监控系统可以读取")
    body, content_type = metrics.exposition()
    return Response(body, content_type=content_type)


def metrics_token() -> str:
    """The token that /metrics asks for from afar; docs/operations.md says how to print it."""
    return metrics.reading_token(house().config.server.secret_key.get_secret_value())


@machine.get("/<name>.txt")
def get_verify_file(name: str) -> Response:
    """The file by which WeChat or WeCom sees that the domain is ours (MP_verify_*.txt, WW_verify_*.txt)."""
    if not _VERIFY.match(f"{name}.txt"):
        abort(404)
    file = Path(house().config.server.verify_files) / f"{name}.txt"
    if not file.is_file() or file.stat().st_size > 4096:
        abort(404)
    return Response(file.read_bytes(), mimetype="text/plain")


def set_up(app: Flask) -> None:
    """The app answers the machine room."""
    app.register_blueprint(machine)
