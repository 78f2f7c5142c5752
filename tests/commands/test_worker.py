"""`houqin worker` as systemd runs it."""

import os
import signal
import socket
import subprocess
import sys
import threading

import requests
import sqlalchemy as sa

from core import clock
from models.base import Base
from tests.commands.test_people import CONFIG

LIMIT_S = 60


def test_the_worker_tells_prometheus_what_is_owed_and_ends_when_told(tmp_path):
    path = tmp_path / "houqin.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    (tmp_path / "houqin.toml").write_text(CONFIG.format(path=path), "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("-m", "commands", "--config", "houqin.toml", "worker", "--metrics-port", str(port))
    here = os.getcwd()
    worker = subprocess.Popen(
        [sys.executable, *words], cwd=tmp_path, env=os.environ | {"PYTHONPATH": here}, stderr=subprocess.DEVNULL
    )
    try:
        told = _told(f"http://127.0.0.1:{port}/metrics", worker)
        assert "houqin_debts_due 0.0" in told
        assert "houqin_oldest_debt_seconds 0.0" in told
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(LIMIT_S) == 0
    finally:
        worker.kill()
        worker.wait()


def _told(address, worker):
    until = clock.monotonic() + LIMIT_S
    while clock.monotonic() < until and worker.poll() is None:
        try:
            return requests.get(address, timeout=5).text
        except requests.ConnectionError:
            clock.pause(0.1, threading.Event())
    raise AssertionError("the worker did not answer")
