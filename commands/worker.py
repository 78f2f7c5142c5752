"""`houqin worker`: pays what the world is owed and keeps the schedule. Run two for safety. DESIGN §3."""

import signal
import threading
from types import FrameType

import click

from commands.wired import house_of
from core import metrics
from jobs.worker import CONNECTIONS, Worker


@click.command("worker")
@click.option("--connections", default=CONNECTIONS, show_default=True, help="messages under way at a time")
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="answer Prometheus on that port of loopback")
@click.pass_context
def command(ctx: click.Context, connections: int, metrics_port: int | None) -> None:
    """Work until SIGTERM or Ctrl-C; what is in hand then is finished."""
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    if metrics_port:
        metrics.serve(metrics_port)
    # Lean: what a lost connection breaks off is claimed again when its lease ends.
    Worker(house_of(ctx, level="INFO", lean=True), connections=connections).run(stop)
