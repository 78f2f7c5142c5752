"""The `houqin` command line. Each command wires and decides nothing; its module is loaded when it is called."""

import importlib

import click

# name → module:object. A group (`houqin db upgrade`) is one line too.
COMMANDS = {
    "audit": "commands.audit:command",
    "db": "commands.db:command",
    "demo": "commands.demo:command",
    "doctor": "commands.doctor:command",
    "menu": "commands.menu:command",
    "openapi": "commands.openapi:command",
    "operator": "commands.people:operator",
    "people": "commands.people:command",
    "qr": "commands.qr:command",
    "sandbox": "commands.sandbox:command",
    "serve": "commands.serve:command",
    "up": "commands.up:command",
    "worker": "commands.worker:command",
}


class Commands(click.Group):
    """Loads a command's module only when that command is asked for: `houqin --help` imports no platform."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.command(cls=Commands)
@click.option("--config", "config_path", envvar="HOUQIN_CONFIG", help="the configuration file (or HOUQIN_CONFIG)")
@click.pass_context
def main(ctx: click.Context, config_path: str | None) -> None:
    """Houqin 后勤通: a campus from inside WeChat."""
    ctx.obj = config_path
