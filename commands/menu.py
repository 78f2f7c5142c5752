"""`houqin menu publish`: the official account shows the menu of `wxbot.menu`. PROTOCOLS 1.6."""

import json

import click

from commands.wired import config_of, house_of
from core.errors import PlatformError
from wxbot.menu import check, menu_of


@click.group("menu")
def command() -> None:
    """The menu of the official account."""


@command.command("publish")
@click.option("--dry-run", is_flag=True, help="check and print the menu, send nothing")
@click.pass_context
def publish(ctx: click.Context, dry_run: bool) -> None:
    """Check the menu against the platform's limits and publish it."""
    config = config_of(ctx)
    if config.official_account is None:
        raise click.ClickException("[official_account] is not configured")
    menu = menu_of(config)
    if wrong := check(menu):
        raise click.ClickException("the platform would refuse this menu:\n  " + "\n  ".join(wrong))
    if dry_run:
        click.echo(json.dumps(menu, ensure_ascii=False, indent=2))
        return
    try:
        house_of(ctx).platforms.official.publish_menu(menu)
    except PlatformError as why:
        raise click.ClickException(f"the platform answered {type(why).__name__} {why.code}: {why.message}") from None
    click.echo("the menu is published; followers see it within five minutes")
