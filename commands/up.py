"""`houqin up`, which `make run` calls: sandbox, web and worker on embedded defaults, with a demo campus. DESIGN §3."""

import os
import secrets
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

import click
import requests

from commands import demo_config
from core import clock

READY_S = 60.0
LOOK_EVERY_S = 0.2


@click.command("up")
@click.option("--port", default=8000, show_default=True, help="of the service; the sandbox takes the next one")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=Path("var"), show_default=True)
@click.option("--students", default=None, type=int, help="size of the demo campus (about 11,000 unless told)")
def command(port: int, directory: Path, students: int | None) -> None:
    """Everything for a first look; Ctrl-C stops all of it, and the next start finds the same data."""
    toml, box = directory / "demo.toml", directory / "sandbox"
    # Both addresses stand in the two files; another port than last time means files for that port.
    marker = directory / "port"
    if marker.exists() and marker.read_text() != str(port):
        raise click.ClickException(
            f"{directory} was made for port {marker.read_text()}; use PORT={marker.read_text()} or `make reset`"
        )
    directory.mkdir(parents=True, exist_ok=True)
    marker.write_text(str(port))
    url, sandbox_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"
    environ = os.environ | {"HOUQIN_CONFIG": str(toml), "HOUQIN_CLOCK_FILE": str((box / "clock").absolute())}

    def houqin(*words: str) -> None:
        done = subprocess.run([sys.executable, "-m", "commands", *words], env=environ, check=False)
        if done.returncode:
            raise click.ClickException(f"`houqin {' '.join(words)}` failed")

    houqin("sandbox", "init", "--dir", str(box), "--service", url, "--url", sandbox_url, "--seed", "random")
    if not toml.exists():
        demo_config.write(
            box / "sandbox.toml",
            toml,
            database=f"sqlite:///{directory / 'houqin.db'}",
            files=f"file:{directory / 'files'}",
        )
    houqin("db", "upgrade")
    sign_in = directory / "sign-in.txt"
    if not sign_in.exists():
        password = secrets.token_urlsafe(9)
        size = ("--students", str(students)) if students else ()
        houqin(
            "demo",
            "data",
            "--sandbox",
            str(box / "sandbox.toml"),
            "--password",
            password,
            "--sign-in-file",
            str(sign_in),
            *size,
        )
    processes = [
        subprocess.Popen([sys.executable, "-m", "commands", *words], env=environ, start_new_session=True)
        for words in (
            ("sandbox", "serve", "--dir", str(box)),
            ("serve", "--bind", f"127.0.0.1:{port}"),
            ("worker",),
        )
    ]
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        if _ready(f"{url}/readyz", processes, stop) and _ready(f"{sandbox_url}/control/calls", processes, stop):
            houqin("menu", "publish")
            click.echo(f"\n  后勤通 is up:  {sandbox_url}/beside?right={url}/console/\n")
            click.echo(
                f"  phone {sandbox_url}/   console {url}/console/   API {url}/docs   faults {sandbox_url}/panel\n"
            )
            click.echo(sign_in.read_text())
        while not stop.is_set() and all(process.poll() is None for process in processes):
            clock.pause(LOOK_EVERY_S, stop)
    finally:
        for process in processes:
            _end(process, signal.SIGTERM)
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                _end(process, signal.SIGKILL)
    if not stop.is_set():
        raise click.ClickException("a process ended by itself; its last lines are above")


def _end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    if process.poll() is None:
        os.killpg(process.pid, how)


def _ready(address: str, processes: list[subprocess.Popen[bytes]], stop: threading.Event) -> bool:
    """Waits until the address answers 200, a process has ended, or it takes too long."""
    until = clock.monotonic() + READY_S
    while clock.monotonic() < until and not stop.is_set() and all(process.poll() is None for process in processes):
        try:
            if requests.get(address, timeout=2).status_code == 200:
                return True
        except requests.RequestException:
            pass
        clock.pause(LOOK_EVERY_S, stop)
    return False
