"""What a command that needs only the database begins with: no platforms, no Redis."""

import click

from commands.wired import config_of
from core import crypto, db, log
from core.config import Config


def open_database(ctx: click.Context) -> Config:
    """This process uses the configured database and data keys from now on."""
    log.set_up(level="WARNING")
    config = config_of(ctx)
    crypto.use(crypto.Vault(tuple(key.get_secret_value() for key in config.server.data_keys)))
    db.connect(config.database.url.get_secret_value(), pool=2)
    return config
