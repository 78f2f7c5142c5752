"""`houqin openapi`: the description of /api/v1, for making the client's types and for other programs."""

import json
from pathlib import Path

import click

from miniprogram_api.openapi import description


@click.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="write it there instead of printing it")
def command(out: Path | None) -> None:
    """Print /openapi.json. Needs no configuration: the description is the same for every school."""
    text = json.dumps(description(), ensure_ascii=False, indent=1) + "\n"
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)
