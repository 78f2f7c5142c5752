"""`houqin db …`: the tables of this release, forwards and back."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
import sqlalchemy as sa

from commands.wired import config_of
from models import migrations


@click.group("db")
def command() -> None:
    """Upgrade, downgrade and check the database."""


@command.command("upgrade")
@click.argument("to", default="head")
@click.pass_context
def upgrade(ctx: click.Context, to: str) -> None:
    """Bring the tables to this release (or to a revision)."""
    with _reached():
        migrations.upgrade(config_of(ctx).database.url.get_secret_value(), to)
    click.echo("database is current")


@command.command("downgrade")
@click.argument("to")
@click.confirmation_option(prompt="Tables and columns that the older release does not know will be dropped. Go on?")
@click.pass_context
def downgrade(ctx: click.Context, to: str) -> None:
    """Bring the tables back to a revision (`base` drops all)."""
    with _reached():
        migrations.downgrade(config_of(ctx).database.url.get_secret_value(), to)
    click.echo(f"database is at {to}")


@command.command("check")
@click.pass_context
def check(ctx: click.Context) -> None:
    """Exit 0 when the tables are those of this release."""
    with _reached():
        current = migrations.is_current(sa.create_engine(config_of(ctx).database.url.get_secret_value()))
    if not current:
        raise click.ClickException("database is behind; run `houqin db upgrade`")
    click.echo("database is current")


@contextmanager
def _reached() -> Iterator[None]:
    """Says in one line that the database cannot be reached or lets nobody in."""
    try:
        yield
    except sa.exc.OperationalError as why:
        raise click.ClickException(f"the database does not answer: {why.orig}") from None
