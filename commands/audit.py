"""`houqin audit`: proves that no audit line was changed or taken away. FEATURES P7."""

import click
import sqlalchemy as sa

from commands.stores import open_database
from core.db import reading
from models.audit import AuditLine, prove


@click.group("audit")
def command() -> None:
    """The audit lines."""


@command.command("prove")
@click.pass_context
def prove_chain(ctx: click.Context) -> None:
    """Walk the chain. Exit 1 when a line was changed or is missing."""
    open_database(ctx)
    with reading() as s:
        held, wrong = prove(s)
        unsealed = s.scalar(sa.select(sa.func.count()).select_from(AuditLine).where(AuditLine.seq.is_(None))) or 0
    click.echo(f"{held} sealed lines hold, {unsealed} not sealed yet")
    if wrong is not None:
        raise click.ClickException(wrong)
