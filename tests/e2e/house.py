"""What `make run` starts, in a folder of its own: sandbox, web and worker on embedded defaults, with a small campus."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pyotp
import requests

from tests import servers

ROOT = Path(__file__).parents[2]
CAMPUS = ZoneInfo("Asia/Shanghai")
START_S, END_S = 90, 40
T = TypeVar("T")


class House:
    """Use as a context manager: everything is up inside, and gone afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = two_free_ports()
        self.url, self.sandbox_url = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.port + 1}"
        self.log = folder / "up.log"
        self._codes: dict[str, int] = {}
        self._web = requests.Session()
        self._web.trust_env = False

    def __enter__(self) -> "House":
        # The folder is the working directory too: the embedded Redis stands at var/redis of wherever it is started.
        words = ("commands", "up", "--port", str(self.port), "--dir", str(self.folder / "var"), "--students", "60")
        with self.log.open("wb") as out:
            self._up = subprocess.Popen(
                [sys.executable, "-m", *words], cwd=self.folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        try:
            self.until(self._said_that_it_is_up, seconds=START_S, what="houqin up")
            self._daytime()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        assert not answers(self.port), "the service is still there"
        assert not answers(self.port + 1), "the sandbox is still there"

    def _end(self) -> None:
        self._web.close()
        self._up.send_signal(signal.SIGTERM)
        try:
            self._up.wait(END_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._up.pid, signal.SIGKILL)
            self._up.wait(END_S)
            raise

    def _said_that_it_is_up(self) -> bool:
        if self._up.poll() is not None:
            raise AssertionError(f"houqin up ended by itself:\n{self.said()}")
        return "Console operators:" in self.log.read_text(errors="replace").partition("is up:")[2]

    def _daytime(self) -> None:
        """It is ten in the morning on campus, today or tomorrow: pushes keep the quiet hours, people on shift do not."""
        now = datetime.now(CAMPUS)
        ten = now.replace(hour=10, minute=0, second=0, microsecond=0)
        ten += timedelta(days=1) if ten < now else timedelta()
        self.control("clock", offset_s=(ten - now).total_seconds())

    # ---- looking and waiting --------------------------------------------------------------------------------------

    def said(self) -> str:
        """The end of what the processes wrote."""
        return self.log.read_text(errors="replace")[-6000:]

    def until(self, ask: Callable[[], T], *, seconds: float = 20, what: str = "") -> T:
        """The first answer that is not empty."""
        never = threading.Event()
        for _ in range(int(seconds / 0.1)):
            if answer := ask():
                return answer
            never.wait(0.1)
        raise AssertionError(f"waited {seconds} s for {what or ask}\n{self.said()}")

    def ask(self, path: str, **query: Any) -> Any:
        """GET /control/…"""
        answer = self._web.get(f"{self.sandbox_url}/control/{path}", params=query, timeout=20)
        answer.raise_for_status()
        return answer.json()

    def control(self, path: str, **body: Any) -> Any:
        """POST /control/…"""
        answer = self._web.post(f"{self.sandbox_url}/control/{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def all_is_well(self) -> None:
        """No fault is on any more."""
        self._web.delete(f"{self.sandbox_url}/control/faults", timeout=20).raise_for_status()

    def get(self, path: str) -> requests.Response:
        """GET of the service."""
        return self._web.get(f"{self.url}{path}", timeout=20)

    def sent(self, **query: Any) -> list[dict[str, Any]]:
        """What the platforms accepted, oldest first."""
        return list(self.ask("sent", limit=1000, **query)["sent"])

    def door(self, label: str) -> str:
        """The code at that door."""
        doors = self.ask("doors", q=label)["doors"]
        return str(next(door["code"] for door in doors if door["label"].endswith(label)))

    def now(self) -> datetime:
        """What time it is on both sides of the wires."""
        return datetime.fromtimestamp(self.ask("clock")["now"], UTC)

    def operator(self, campus_no: str) -> tuple[str, str]:
        """The password, and the authenticator's code of this moment, from the file that `houqin up` wrote."""
        text = (self.folder / "var" / "sign-in.txt").read_text("utf-8")
        found = re.search(rf"{campus_no} \S+\s+password (\S+)\s+authenticator secret (\S+)", text)
        assert found, text
        authenticator = pyotp.TOTP(found[2])
        if (step := int(self.now().timestamp()) // authenticator.interval) <= self._codes.get(campus_no, 0):
            # A code counts once: the operator waits for the next one.
            self.control("clock", advance_s=authenticator.interval)
            step += 1
        self._codes[campus_no] = step
        return found[1], authenticator.at(step * authenticator.interval)


def two_free_ports() -> int:
    """A port that nobody listens on, and neither on the next one."""
    return next(port for port in iter(servers.free_port, None) if not answers(port + 1))


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
