"""`houqin serve`: the web process, under gunicorn. Stateless; as many as you like. DESIGN §3."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import click

from commands.wired import config_of

PROCESSES = 2
THREADS = 16  # most of them wait for the database, and those that wait together share its COMMIT


@click.command("serve")
@click.option("--bind", default="127.0.0.1:8000", show_default=True, help="address:port, or unix:/run/houqin.sock")
@click.option("--workers", default=PROCESSES, show_default=True, help="processes")
@click.option("--threads", default=THREADS, show_default=True, help="threads of each process")
@click.pass_context
def command(ctx: click.Context, bind: str, workers: int, threads: int) -> None:
    """Serve the callbacks, the API, the console and the client."""
    config_of(ctx)
    os.environ["HOUQIN_CONFIG"] = str(Path(ctx.find_root().obj).absolute())
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_counters(Path(tempfile.gettempdir())))
    # What a photo took goes back to the system; glibc would rather keep it in the heap of each thread (K15).
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(4 * 1024 * 1024))
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *arguments(bind, workers, threads), "app:create_app()"])


def _counters(folder: Path) -> Path:
    """An empty folder for the counters of this server; those of servers that are gone are removed."""
    for old in folder.glob("houqin-metrics-*"):
        if not Path("/proc", old.name.rpartition("-")[2]).exists():
            shutil.rmtree(old, ignore_errors=True)
    mine = folder / f"houqin-metrics-{os.getpid()}"
    shutil.rmtree(mine, ignore_errors=True)  # a reused pid must not bring back old counts
    mine.mkdir(mode=0o700)
    return mine


def arguments(bind: str, workers: int, threads: int) -> list[str]:
    """What gunicorn is told. A request that takes 30 s is a bug; a body waits in nginx, not here."""
    return [
        "--worker-class", "core.serving.Worker", "--bind", bind, "--workers", str(workers), "--threads", str(threads),
        "--timeout", "30", "--graceful-timeout", "15", "--keep-alive", "75", "--backlog", "2048",
        "--limit-request-line", "8190", "--limit-request-fields", "64", "--worker-tmp-dir", _shm(), "--log-level", "warning",
    ]  # fmt: skip


def _shm() -> str:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()  # noqa: S108  gunicorn's heartbeat file
