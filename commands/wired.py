"""What most commands begin with: the configuration, checked, and the house built from it."""

import click

import app
from core import config as configs
from core import log
from core.config import Config
from core.house import House


def config_of(ctx: click.Context) -> Config:
    """The configuration named by --config or HOUQIN_CONFIG. Ends the command with every wrong key named."""
    path = ctx.find_root().obj
    if not path:
        raise click.UsageError("name the configuration: --config FILE or HOUQIN_CONFIG")
    try:
        config = configs.load(path)
        configs.refuse_example_secrets(config)
        app.refuse_moved_clock(config)
    except configs.ConfigError as why:
        raise click.ClickException(str(why)) from None
    return config


def house_of(ctx: click.Context, *, level: str = "WARNING", lean: bool = False) -> House:
    """The house of that configuration; this process uses its database from now on."""
    log.set_up(level=level)
    return app.build_house(config_of(ctx), lean=lean)
