"""`houqin demo`: a school that does not exist, for a first look, drills and benchmarks. DESIGN §3."""

import json
import tomllib
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa

from campus import demo
from commands.demo_config import config
from commands.stores import open_database
from core import clock
from core.clock import monotonic
from core.db import reading, run
from core.errors import CampusError
from models.places import DoorCode, Place, PlaceKind


@click.group("demo")
def command() -> None:
    """A demo campus and its configuration."""


command.add_command(config)


@command.command("data")
@click.option("--students", default=demo.STUDENTS, show_default=True, type=click.IntRange(8, 40_000))
@click.option("--tickets", default=demo.TICKETS, show_default=True, type=click.IntRange(0, 100_000))
@click.option("--seed", default=1, show_default=True, help="the same seed gives the same school")
@click.option("--password", required=True, help="of the operators T1001 and T1002")
@click.option(
    "--totp-secret", "totp", multiple=True, metavar="NUMBER=SECRET", help="an operator's authenticator secret (base32)"
)
@click.option(
    "--sandbox", "sandbox_toml", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="its sandbox.toml"
)
@click.option("--sign-in-file", type=click.Path(path_type=Path), help="writes who to sign in as into this file too")
@click.option("--if-empty", is_flag=True, help="do nothing when there is data")
@click.pass_context
def data(
    ctx: click.Context,
    students: int,
    tickets: int,
    seed: int,
    password: str,
    totp: tuple[str, ...],
    sandbox_toml: Path | None,
    sign_in_file: Path | None,
    if_empty: bool,
) -> None:
    """Fill an empty database with a believable school."""
    open_database(ctx)
    secrets = _pairs(totp)
    sandbox = _read(sandbox_toml)
    if if_empty:
        with reading() as s:
            if not demo.is_empty(s):
                click.echo("there is data already; nothing was done")
                return
    began, now = monotonic(), clock.now()
    try:
        made = run(
            lambda s: demo.build(
                s, now=now, students=students, tickets=tickets, seed=seed, password=password, totp_secrets=secrets,
                sandbox=sandbox,
            )
        )  # fmt: skip
    except CampusError as why:
        raise click.ClickException(why.detail) from None
    counts = made.counts
    click.echo(
        f"{counts['person']:,} people, {counts['place']:,} places, {counts['resident']:,} residents, "
        f"{counts['fault_type']} fault types, {counts['ticket']:,} tickets in {monotonic() - began:.1f} s"
    )
    for year in made.not_announced:
        click.echo(f"the holidays of {year} are not announced yet: only the statutory days are known")
    text = _sign_ins(made.sign_ins)
    click.echo(text)
    if sandbox_toml is not None:
        _hang_doors(sandbox_toml.parent / "doors.json")
    if sign_in_file is not None:
        sign_in_file.parent.mkdir(parents=True, exist_ok=True)
        sign_in_file.touch(mode=0o600)
        sign_in_file.write_text(text + "\n", "utf-8")


def _hang_doors(path: Path) -> None:
    """The sandbox's phone can scan the doors of one building, and those of the others' entrances."""
    with reading() as s:
        rows = s.execute(
            sa.select(DoorCode.code, Place.label)
            .join(Place, Place.id == DoorCode.place_id)
            .where(sa.or_(Place.code.like("D12-4%"), Place.kind == PlaceKind.BUILDING))
            .order_by(Place.kind.desc(), Place.code)
        )
        path.write_text(
            json.dumps([{"code": row.code, "label": row.label} for row in rows], ensure_ascii=False), "utf-8"
        )


def _pairs(totp: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for one in totp:
        number, equals, secret = one.partition("=")
        if not equals:
            raise click.BadParameter("write NUMBER=SECRET", param_hint="--totp-secret")
        pairs[number] = secret
    return pairs


def _read(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        raise click.ClickException(f"{path}: {why}") from None


def _sign_ins(sign_ins: list[demo.SignIn]) -> str:
    lines = ["Console operators:"]
    for one in sign_ins:
        lines.append(f"  {one.campus_no} {one.name}   password {one.password}   authenticator secret {one.totp_secret}")
    lines.append("  the code of this moment, without a phone: .venv/bin/houqin operator code SECRET")
    return "\n".join(lines)
