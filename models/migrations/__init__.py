"""The database's history: upgrade and downgrade on SQLite and MariaDB from one set of revisions. Alembic without alembic.ini."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory


def settings(url: str) -> Config:
    """Alembic's configuration for that database."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = url
    return config


def upgrade(url: str, to: str = "head") -> None:
    """The tables are as this release needs them."""
    command.upgrade(settings(url), to)


def downgrade(url: str, to: str) -> None:
    """The tables are as that revision had them."""
    command.downgrade(settings(url), to)


def is_current(engine: sa.Engine) -> bool:
    """Whether the database is at the newest revision."""
    with engine.connect() as connection:
        current = set(MigrationContext.configure(connection).get_current_heads())
    return current == set(ScriptDirectory.from_config(settings("")).get_heads())
