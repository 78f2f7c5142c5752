"""`houqin qr …`: door codes of a building, printed and made by the official account. FEATURES P5."""

from pathlib import Path

import click

from campus import door_qr, door_sheets, places
from commands.stores import open_database
from core import clock
from core.db import reading, run
from core.errors import CampusError
from models.access import SYSTEM


@click.group("qr")
def command() -> None:
    """Codes for doors."""


@command.command("sheet")
@click.option("--building", required=True, help="code of a building, floor or room, for example D12")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def sheet(ctx: click.Context, building: str, out: Path) -> None:
    """Write an A4 PDF with a label for every door below BUILDING."""
    config, now = open_database(ctx), clock.now()
    try:
        run(lambda s: places.make_door_codes(s, code=building, by=SYSTEM, now=now))
        with reading() as s:
            top = places.place_by_code(s, building)
            doors = places.door_codes_of_building(s, building)
    except CampusError as why:
        raise click.ClickException(why.detail) from None
    if len(doors) > door_sheets.MOST:
        raise click.ClickException(f"{len(doors)} doors are too many for one file; name a smaller place")
    out.write_bytes(
        door_sheets.pdf(doors, title=top.label, base_url=config.server.base_url, school=config.server.school)
    )
    click.echo(f"{out}: {len(doors)} doors")


@command.command("mint")
@click.option("--building", required=True, help="code of a campus, building, floor or room, for example D12")
@click.pass_context
def mint(ctx: click.Context, building: str) -> None:
    """Have the official account make its own QR for every door below BUILDING; the worker asks for them."""
    open_database(ctx)
    now = clock.now()
    try:
        asked = run(lambda s: door_qr.owe_qrs(s, code=building, by=SYSTEM, now=now))
        with reading() as s:
            made, of = door_qr.made(s, code=building)
    except CampusError as why:
        raise click.ClickException(why.detail) from None
    click.echo(f"{made} of {of} doors have one, {asked} more are asked for")
