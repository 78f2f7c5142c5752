"""Values that the office may change: each stands beside its rule as a `Setting`, with its source. STYLE "Time".

The row in the database wins over the default. Each change is audited by the rule that makes it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.errors import Invalid
from models.base import Base, line

V = TypeVar("V", int, bool, str, timedelta, list[str])

REGISTRY: dict[str, "Setting[Any]"] = {}


class SettingRow(Base):
    __tablename__ = "setting"
    key: Mapped[line] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(sa.JSON)
    changed_at: Mapped[datetime]
    changed_by: Mapped[int | None] = mapped_column(sa.BigInteger)


@dataclass(frozen=True)
class Setting(Generic[V]):
    """A value with a name, a default and the rule it comes from. A duration is stored and edited in seconds."""

    key: str
    default: V
    source: str
    title: str = ""

    def __post_init__(self) -> None:
        REGISTRY[self.key] = self

    def read(self, stored: Any) -> V:
        """The typed value of what is stored or was typed in. Raises Invalid when it is of another kind."""
        wanted: type = type(self.default)
        try:
            value: Any
            if wanted is timedelta:
                value = timedelta(seconds=float(stored))
            elif wanted is bool:
                if not isinstance(stored, bool):
                    raise ValueError
                value = stored
            elif wanted is list:
                value = [str(item) for item in stored]
            elif wanted is int:
                value = int(stored)
            else:
                value = str(stored)
        except (TypeError, ValueError):
            raise Invalid(fields={self.key: f"应为 {wanted.__name__}"}) from None
        return value  # type: ignore[no-any-return]  # of the default's type by the branch above

    def show(self, value: V) -> Any:
        """The value as it is stored: JSON."""
        return value.total_seconds() if isinstance(value, timedelta) else value


def setting(s: Session, which: Setting[V]) -> V:
    """The value in force."""
    known: dict[str, Any] = s.info.setdefault("settings", {})
    if which.key not in known:
        known[which.key] = s.scalar(sa.select(SettingRow.value).where(SettingRow.key == which.key))
    stored = known[which.key]
    return which.default if stored is None else which.read(stored)


def change(s: Session, which: Setting[V], value: V, *, by_id: int | None, now: datetime) -> None:
    """From the next transaction on that value is in force. The caller writes the audit line."""
    s.merge(SettingRow(key=which.key, value=which.show(value), changed_at=now, changed_by=by_id))
    s.info.get("settings", {}).pop(which.key, None)
