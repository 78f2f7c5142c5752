"""Photos and other files people gave us: checked and stored before anything refers to them. DESIGN §3."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, number, pk, word


class StoredFile(Base):
    """One file in the file store, under its public number. Removed after 24 h when nothing refers to it."""

    __tablename__ = "stored_file"
    __table_args__ = (sa.Index(None, "referred_at", "stored_at"),)
    id: Mapped[pk]
    no: Mapped[number] = mapped_column(unique=True)
    mime: Mapped[word]
    sha256: Mapped[word]
    size: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"), index=True)
    stored_at: Mapped[datetime]
    referred_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
