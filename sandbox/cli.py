"""`python -m sandbox init` and `python -m sandbox serve`."""

import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from gunicorn.app.base import BaseApplication

from sandbox import settings
from sandbox.app import create_app


@click.group()
def main() -> None:
    """A stand-in for WeChat, WeCom, an SMS gateway and a campus sign-in server."""


@main.command()
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=Path("var/sandbox"), show_default=True)
@click.option("--service", default="http://127.0.0.1:8000", show_default=True, help="Where callbacks go.")
@click.option("--url", default="http://127.0.0.1:8001", show_default=True, help="Where the sandbox will be.")
@click.option("--seed", default="1", show_default=True, help="A number, or `random` for fresh secrets.")
def init(directory: Path, service: str, url: str, seed: str) -> None:
    """Write sandbox.toml once: keys, persons and templates made from the seed."""
    number = secrets.randbelow(2**62) if seed == "random" else int(seed)
    click.echo(settings.write(directory, service=service, url=url, seed=number))


@main.command()
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=Path("var/sandbox"), show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=0, help="Default: the port of `url` in sandbox.toml.")
@click.option("--threads", default=96, show_default=True, help="How many calls are served at once.")
@click.option("--fast", is_flag=True, help="Only count: no list of calls, strangers follow, no events afterwards.")
@click.option("--latency-ms", type=float, default=None, help="Every platform answer takes this much longer.")
def serve(directory: Path, host: str, port: int, threads: int, fast: bool, latency_ms: float | None) -> None:
    """Serve the platforms, the phone (/) and the panel (/panel)."""
    try:
        known = settings.read(directory)
    except settings.Invalid as error:
        raise click.ClickException(str(error)) from error
    port = port or urlsplit(known.url).port or 8001
    click.echo(f"sandbox: {known.url}/  panel: {known.url}/panel", err=True)
    sys.stderr.flush()
    Server(directory, host, port, threads, fast, latency_ms).run()


class Server(BaseApplication):
    """One process, many threads: the state is one SQLite connection."""

    def __init__(
        self, directory: Path, host: str, port: int, threads: int, fast: bool, latency_ms: float | None
    ) -> None:
        self._made = (directory, fast, latency_ms)
        self._bind, self._threads = f"{host}:{port}", threads
        super().__init__()

    def load_config(self) -> None:
        """gunicorn's settings."""
        for key, value in {
            "bind": self._bind,
            "worker_class": "gthread",
            "workers": 1,
            "threads": self._threads,
            "worker_connections": 4000,
            "keepalive": 75,
            "timeout": 0,
            "graceful_timeout": 2,
            "loglevel": "warning",
            "control_socket_disable": True,
        }.items():
            if key in self.cfg.settings:
                self.cfg.set(key, value)

    def load(self) -> Any:
        """The app, made in the worker: its threads would not survive a fork."""
        directory, fast, latency_ms = self._made
        app = create_app(directory, fast=fast)
        if latency_ms is not None:
            app.extensions["sandbox"].behaviour["latency_ms"] = latency_ms
        return app
