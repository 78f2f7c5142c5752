"""Runs the revisions on the database that `models.migrations.settings` names."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext

import models  # noqa: F401  makes every table known
from models.base import Base, UTCDateTime


def _render(kind: str, item: Any, autogen_context: AutogenContext) -> str | Literal[False]:
    if kind == "type" and isinstance(item, UTCDateTime):
        autogen_context.imports.add("from models.base import UTCDateTime")
        return "UTCDateTime()"
    if kind == "type" and isinstance(item, sa.BigInteger) and "sqlite" in getattr(item, "_variant_mapping", {}):
        autogen_context.imports.add("from models.base import BigId")
        return "BigId"
    return False


def _run() -> None:
    engine = sa.create_engine(context.config.attributes["url"], poolclass=sa.NullPool)
    with engine.connect() as connection:
        if connection.dialect.name != "sqlite" and not sa.inspect(connection).get_table_names():
            # Openids and tokens differ by case; every table made from here on compares byte by byte.
            name = connection.dialect.identifier_preparer.quote(engine.url.database or "")
            connection.exec_driver_sql(f"ALTER DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        if connection.dialect.name == "sqlite":
            # A batch operation copies a table; the foreign keys that point at it must not fire meanwhile.
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            render_item=_render,
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()


_run()
