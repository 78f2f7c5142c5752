"""The base of every table and the column types of the house. ECOSYSTEM §3.

The same tables live on SQLite and MariaDB. Moments are aware UTC in Python and naive UTC with microseconds in the
store; states are StrEnums stored as text behind a CHECK; a promise that can be taken back carries `live` in its
UNIQUE: TRUE while it stands, NULL afterwards.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, mapped_column


class UTCDateTime(sa.TypeDecorator[datetime]):
    """Aware in Python, naive UTC with microseconds in the store. Refuses naive values."""

    impl = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None else None


BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # autoincrement needs INTEGER in SQLite

pk = Annotated[int, mapped_column(BigId, primary_key=True, autoincrement=True)]
ref = Annotated[int, mapped_column(BigId)]
word = Annotated[str, mapped_column(sa.String(64))]
line = Annotated[str, mapped_column(sa.String(190))]
number = Annotated[str, mapped_column(sa.String(24))]
long_text = Annotated[str, mapped_column(sa.Text)]
fen = Annotated[int, mapped_column(sa.BigInteger)]


def one_of(kind: type[StrEnum]) -> sa.Enum:
    """The column type of a StrEnum: its values as text, behind a CHECK."""
    return sa.Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=24,
        name=f"{kind.__name__.lower()}_known",
        values_callable=lambda members: [member.value for member in members],
    )


class Base(DeclarativeBase):
    """Every table of the house."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads it as a class attribute
        datetime: UTCDateTime(),
        dict[str, Any]: sa.JSON(),
        list[str]: sa.JSON(),
        list[Any]: sa.JSON(),
    }
