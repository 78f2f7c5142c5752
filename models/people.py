"""People of the campus, how platforms know them, and how they prove who they are. FEATURES P1–P3, P8, P11."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, line, long_text, number, one_of, pk, word


class PersonKind(StrEnum):
    STUDENT = "student"
    STAFF = "staff"
    WORKER = "worker"
    DRIVER = "driver"
    VISITOR = "visitor"


class PersonStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LEFT = "left"


class Department(Base):
    """One node of the department tree. `path` is `/1/5/`: itself last, so a subtree is a prefix."""

    __tablename__ = "department"
    id: Mapped[pk]
    code: Mapped[word] = mapped_column(unique=True)
    name: Mapped[word]
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("department.id"))
    # No foreign key: people refer to departments, and a cycle of tables can be made and dropped on neither database.
    leader_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    path: Mapped[line] = mapped_column(default="/", index=True)


class Person(Base):
    """Somebody of the campus. The phone number is sealed at rest, shown masked, found by its blind index (P8)."""

    __tablename__ = "person"
    id: Mapped[pk]
    campus_no: Mapped[word] = mapped_column(unique=True)
    name: Mapped[word] = mapped_column(index=True)
    kind: Mapped[PersonKind] = mapped_column(one_of(PersonKind))
    status: Mapped[PersonStatus] = mapped_column(one_of(PersonStatus), default=PersonStatus.ACTIVE)
    department_id: Mapped[int | None] = mapped_column(sa.ForeignKey("department.id"), index=True)
    phone_sealed: Mapped[long_text | None]
    phone_blind: Mapped[word | None] = mapped_column(index=True)
    phone_masked: Mapped[number | None]
    id_tail_sealed: Mapped[long_text | None]
    home_place_id: Mapped[int | None] = mapped_column(sa.ForeignKey("place.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class IdentityKind(StrEnum):
    OFFICIAL = "official"
    MINI = "mini"
    WECOM = "wecom"
    ALIPAY = "alipay"
    SSO = "sso"


class Identity(Base):
    """One platform's name for a person. It belongs to one person at a time; rows that ended keep the history (P2).

    When a follower unsubscribes, `subject` and `unionid` of the ended row are replaced by a hash (P11).
    """

    __tablename__ = "identity"
    __table_args__ = (
        sa.UniqueConstraint("kind", "subject", "live"),
        sa.UniqueConstraint("person_id", "kind", "live"),
    )
    id: Mapped[pk]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"))
    kind: Mapped[IdentityKind] = mapped_column(one_of(IdentityKind))
    subject: Mapped[line]
    unionid: Mapped[word | None] = mapped_column(index=True)
    bound_at: Mapped[datetime]
    bound_by: Mapped[word]
    unbound_at: Mapped[datetime | None]
    live: Mapped[bool | None] = mapped_column(default=True)


class Follower(Base):
    """Whether an openid follows the official account now: template messages reach only followers (43004)."""

    __tablename__ = "follower"
    id: Mapped[pk]
    openid: Mapped[word] = mapped_column(unique=True)
    unionid: Mapped[word | None] = mapped_column(index=True)
    follows: Mapped[bool]
    changed_at: Mapped[datetime]


class Consent(Base):
    """What a person agreed to, in which version of the text (P11)."""

    __tablename__ = "consent"
    __table_args__ = (sa.UniqueConstraint("person_id", "kind", "version"),)
    id: Mapped[pk]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"))
    kind: Mapped[word]
    version: Mapped[word]
    given_at: Mapped[datetime]


class Group(Base):
    """A tag for pushes and permissions."""

    __tablename__ = "person_group"
    id: Mapped[pk]
    code: Mapped[word] = mapped_column(unique=True)
    name: Mapped[word]


class GroupMember(Base):
    __tablename__ = "group_member"
    __table_args__ = (sa.UniqueConstraint("group_id", "person_id"),)
    id: Mapped[pk]
    group_id: Mapped[int] = mapped_column(sa.ForeignKey("person_group.id"))
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"), index=True)


class BindCode(Base):
    """A one-time code that an operator gave to a person, stored hashed (P3)."""

    __tablename__ = "bind_code"
    id: Mapped[pk]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"), index=True)
    code_hash: Mapped[word]
    issued_by: Mapped[int | None] = mapped_column(sa.ForeignKey("person.id"))
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class BindAttempt(Base):
    """A wrong try to prove to be that campus number; five in 15 minutes lock the number (P3)."""

    __tablename__ = "bind_attempt"
    __table_args__ = (sa.Index(None, "campus_no", "tried_at"),)
    id: Mapped[pk]
    campus_no: Mapped[word]
    tried_at: Mapped[datetime]


class SsoTicket(Base):
    """What the campus sign-in said about somebody, good for one use within five minutes, stored hashed."""

    __tablename__ = "sso_ticket"
    id: Mapped[pk]
    ticket_hash: Mapped[word] = mapped_column(unique=True)
    campus_no: Mapped[word]
    name: Mapped[word]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
