"""`houqin people` and `houqin operator`: tables in and out, and who signs in to the console. FEATURES P4, P7."""

from collections.abc import Callable
from pathlib import Path

import click
import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from campus import access, imports, operators, sheets
from campus.imports import BadRows, Report
from commands.stores import open_database
from core import clock
from core.db import found, reading, run
from core.errors import CampusError, NotFound
from models.access import SYSTEM, RoleGrant
from models.people import Person

SHOWN = 50
WHAT = click.option("--what", type=click.Choice(sorted(imports.WHAT)), default="people", show_default=True)


@click.group("people")
def command() -> None:
    """People, departments, places and residents as tables."""


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@WHAT
@click.option("--dry-run", is_flag=True, help="only say what would happen")
@click.option("--keep-good", is_flag=True, help="store the good rows even when others are bad")
@click.option(
    "--bad-rows", type=click.Path(path_type=Path), help="write the bad rows with their reasons into this xlsx"
)
@click.pass_context
def import_(ctx: click.Context, file: Path, what: str, dry_run: bool, keep_good: bool, bad_rows: Path | None) -> None:
    """Import FILE (xlsx or CSV). Without --keep-good it is stored whole or not at all."""
    open_database(ctx)
    now = clock.now()
    try:
        rows = sheets.read(file.read_bytes())
        with reading() as s:
            report = imports.check(s, what, rows, by=SYSTEM)
        _say(report)
        if report.bad and bad_rows is not None:
            head, *body = imports.bad_rows(report, rows)
            bad_rows.write_bytes(sheets.write_xlsx(head, body))
        if dry_run:
            return
        report = run(lambda s: imports.store(s, what, rows, keep_good=keep_good, by=SYSTEM, now=now))
    except BadRows as why:
        raise click.ClickException(f"{why.detail};--keep-good 可只导入正确的行") from None
    except CampusError as why:
        raise click.ClickException(_told(why)) from None
    click.echo(f"已导入：新增 {report.new}，更新 {report.changed}，未变 {report.same}")


def _say(report: Report) -> None:
    click.echo(
        f"共 {report.total} 行：正确 {len(report.good)}（新增 {report.new}，更新 {report.changed}），错误 {len(report.bad_rows)}"
    )
    for bad in report.bad[:SHOWN]:
        click.echo(f"  第 {bad.row_no} 行 {bad.column}：{bad.reason}")
    if len(report.bad) > SHOWN:
        click.echo(f"  … 还有 {len(report.bad) - SHOWN} 处")


def _told(why: CampusError) -> str:
    fields = why.facts.get("fields") or {}
    return ";".join([why.detail, *(f"{key}: {text}" for key, text in fields.items())])


@command.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@WHAT
@click.pass_context
def export(ctx: click.Context, file: Path, what: str) -> None:
    """Write everything of that kind into FILE (xlsx, or CSV by its ending), in the columns of the import."""
    open_database(ctx)
    with reading() as s:
        head, *body = imports.export(s, what, by=SYSTEM)
    write = sheets.write_csv if file.suffix.lower() == ".csv" else sheets.write_xlsx
    file.write_bytes(write(head, body))
    click.echo(f"{file}: {len(body)} rows")


@click.group("operator")
def operator() -> None:
    """Who signs in to the console."""


@operator.command("add")
@click.argument("campus_no")
@click.option("--role", default="admin", show_default=True, help="a role the person gets everywhere")
@click.password_option(help="at least 10 characters")
@click.pass_context
def add(ctx: click.Context, campus_no: str, role: str, password: str) -> None:
    """CAMPUS_NO signs in to the console from now on. Prints what the authenticator wants, once."""
    open_database(ctx)
    now = clock.now()

    def make(s: Session) -> str:
        access.seed_roles(s)
        person = found(s, Person, campus_no=campus_no)
        access.grant_role(s, person_id=person.id, role=role, by=SYSTEM, now=now)
        return operators.make_operator(s, person_id=person.id, password=password, by=SYSTEM, now=now)

    _do(lambda: click.echo(run(make)))


@operator.command("password")
@click.argument("campus_no")
@click.password_option(help="at least 10 characters")
@click.pass_context
def password(ctx: click.Context, campus_no: str, password: str) -> None:
    """Set the password of the operator CAMPUS_NO and unlock her."""
    open_database(ctx)
    now = clock.now()

    def change(s: Session) -> None:
        person = found(s, Person, campus_no=campus_no)
        operators.set_password(s, person_id=person.id, password=password, by=SYSTEM, now=now)
        operators.enable_operator(s, person_id=person.id, by=SYSTEM, now=now)

    _do(lambda: run(change))


@operator.command("totp")
@click.argument("campus_no")
@click.pass_context
def totp(ctx: click.Context, campus_no: str) -> None:
    """A new authenticator secret for the operator CAMPUS_NO; prints what the authenticator wants, once."""
    open_database(ctx)
    now = clock.now()

    def enroll(s: Session) -> str:
        person = found(s, Person, campus_no=campus_no)
        return operators.enroll_totp(s, person_id=person.id, by=SYSTEM, now=now)

    _do(lambda: click.echo(run(enroll)))


@operator.command("list")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """Every operator with her roles."""
    open_database(ctx)
    with reading() as s:
        for row, person in operators.operators(s, by=SYSTEM):
            roles = s.scalars(
                sa.select(RoleGrant.role).where(RoleGrant.person_id == person.id, RoleGrant.taken_back_at.is_(None))
            ).all()
            state = "disabled" if row.disabled_at else "locked" if row.locked_until else "active"
            click.echo(f"{person.campus_no}  {person.name}  {state}  {', '.join(sorted(set(roles)))}")


@operator.command("code")
@click.argument("secret")
def code(secret: str) -> None:
    """The time-based code of this moment for an authenticator SECRET, for a first look without a phone."""
    click.echo(pyotp.TOTP(secret).at(clock.now()))


def _do(deed: Callable[[], object]) -> None:
    try:
        deed()
    except NotFound:
        raise click.ClickException("there is no such person or operator") from None
    except CampusError as why:
        raise click.ClickException(_told(why)) from None
