"""Operators of the console: password (argon2id) and time-based code, or the campus SSO. FEATURES P7; OWASP ASVS 6.

Number, password and code are judged together, so an answer never says which was wrong, and it takes as long for a
number that is no operator's. Five wrong tries lock the number (`campus.attempts`). A time-based code works once:
the step it belonged to is kept, and no step up to it is taken again.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import pyotp
import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from campus import attempts, sessions
from campus.attempts import NumberLocked
from core import crypto
from core.db import found, hold, insert_once
from core.errors import Conflict, Invalid, NotNow, SignInNeeded
from models.access import Actor, Operator, missing, require
from models.audit import audit
from models.people import Person, PersonStatus

ISSUER = "后勤通"
STEP_S = 30
MIN_LENGTH, MAX_LENGTH = 10, 128
COMMON = ("password", "12345678", "87654321", "qwertyui", "11111111", "88888888", "houqin", "admin123")
AT_ONCE = 4
WAIT_S = 5.0

# OWASP Password Storage: argon2id with 19 MiB, t=2, p=1; 25 ms here, inside a transaction. The library's own default
# (64 MiB, 190 ms) would keep every other writer of a SQLite database waiting.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_nobody = _hasher.hash("nobody has this password")
_room = threading.BoundedSemaphore(AT_ONCE)


class WrongSignIn(SignInNeeded):
    """Something of what was typed in is wrong; which is not said."""

    code, text = "wrong_sign_in", "工号、密码或动态码不正确"
    counted = True


class WeakPassword(Invalid):
    code, text = "weak_password", "密码至少 10 位，不能包含工号，也不能是常见密码"


@contextmanager
def _few_at_once() -> Iterator[None]:
    """Hashing takes 19 MiB and a core: a flood of sign-ins must not take them all."""
    if not _room.acquire(timeout=WAIT_S):
        raise NotNow(why="sign_in")
    try:
        yield
    finally:
        _room.release()


def _matches(stored: str | None, password: str) -> bool:
    with _few_at_once():
        try:
            _hasher.verify(stored or _nobody, password[:MAX_LENGTH])
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


def hash_password(password: str) -> str:
    """What is stored of a password."""
    with _few_at_once():
        return _hasher.hash(password)


def sign_in(s: Session, *, campus_no: str, password: str, code: str, now: datetime, ip: str, agent: str) -> str:
    """An operator is signed in to the console; the token, shown once.

    Raises WrongSignIn (counted), NumberLocked, and Forbidden when the person may not use the console.
    """
    operator = _held(s, campus_no, now=now)
    right = _matches(operator.password_hash if operator else None, password)
    step = _step_of(operator, code, now=now)
    if operator is None or not right or step is None:
        raise _wrong(s, operator, campus_no, now=now)
    operator.totp_last_step = step
    _well_done(s, operator, campus_no, password)
    return sessions.open_session(
        s, door=sessions.CONSOLE, way="password", identity=None, person_id=operator.person_id, now=now, ip=ip,
        agent=agent,
    )  # fmt: skip


def sign_in_by_sso(s: Session, *, campus_no: str, now: datetime, ip: str, agent: str) -> str:
    """Whom the campus sign-in vouched for is signed in to the console, if she may use it; the token, shown once."""
    person = s.scalars(sa.select(Person).where(Person.campus_no == campus_no.strip()[:64])).one_or_none()
    if person is None or person.status is not PersonStatus.ACTIVE:
        raise missing("console.sign_in")
    operator = s.scalars(sa.select(Operator).where(Operator.person_id == person.id)).one_or_none()
    if operator is not None and operator.disabled_at is not None:
        raise sessions.AccountOff(person_id=person.id)
    return sessions.open_session(
        s, door=sessions.CONSOLE, way="sso", identity=None, person_id=person.id, now=now, ip=ip, agent=agent
    )


def check_password(s: Session, *, campus_no: str, password: str, now: datetime) -> int:
    """The id of the operator whose password that is. Raises WrongSignIn (counted), NumberLocked."""
    operator = _held(s, campus_no, now=now)
    if not _matches(operator.password_hash if operator else None, password) or operator is None:
        raise _wrong(s, operator, campus_no, now=now)
    _rehash(operator, password)
    return operator.person_id


def check_totp(s: Session, *, person_id: int, code: str, now: datetime) -> None:
    """The code is the operator's, of now, and was not used before; now it is. Raises WrongSignIn (counted), NumberLocked."""
    person = found(s, Person, id=person_id)
    operator = _held(s, person.campus_no, now=now)
    step = _step_of(operator, code, now=now)
    if operator is None or step is None:
        raise _wrong(s, operator, person.campus_no, now=now)
    operator.totp_last_step = step
    _well_done(s, operator, person.campus_no, None)


def _held(s: Session, campus_no: str, *, now: datetime) -> Operator | None:
    """The operator with that number, held; None when there is none, or none who may sign in. Raises NumberLocked."""
    operator = s.scalars(
        sa.select(Operator)
        .join(Person, Person.id == Operator.person_id)
        .where(Person.campus_no == campus_no.strip()[:64], Person.status == PersonStatus.ACTIVE)
        .where(Operator.disabled_at.is_(None))
        .with_for_update(of=Operator)
    ).one_or_none()
    attempts.refuse_if_locked(s, _key(campus_no), now=now)
    return operator


def _key(campus_no: str) -> str:
    return f"console:{campus_no.strip()}"[:64]


def _step_of(operator: Operator | None, code: str, *, now: datetime) -> int | None:
    """The time step the code belongs to, one before or after now allowed; None when it is wrong or was used."""
    sealed = operator.totp_sealed if operator else None
    last = operator.totp_last_step if operator else 0
    totp = pyotp.TOTP(crypto.unseal(sealed) if sealed else "A" * 32)
    typed = "".join(code.split())
    this = int(now.timestamp()) // STEP_S
    right = [step for step in (this - 1, this, this + 1) if crypto.same(totp.generate_otp(step), typed)]
    fresh = [step for step in right if step > last]
    return fresh[0] if sealed and fresh else None


def _wrong(s: Session, operator: Operator | None, campus_no: str, *, now: datetime) -> WrongSignIn:
    attempts.count(s, _key(campus_no), now=now)
    if operator is not None:
        operator.failures += 1
        operator.locked_until = attempts.locked_until(s, _key(campus_no), now=now)
        if operator.locked_until is not None:
            by = Actor(operator.person_id, sessions.CONSOLE)
            audit(s, by, "operator.locked", f"person:{campus_no.strip()}", now=now)
        s.flush()
    return WrongSignIn(number=campus_no.strip()[:64])


def _well_done(s: Session, operator: Operator, campus_no: str, password: str | None) -> None:
    attempts.forget(s, _key(campus_no))
    operator.failures, operator.locked_until = 0, None
    if password is not None:
        _rehash(operator, password)
    s.flush()


def _rehash(operator: Operator, password: str) -> None:
    if operator.password_hash and _hasher.check_needs_rehash(operator.password_hash):
        operator.password_hash = hash_password(password)


# ---- who is an operator --------------------------------------------------------------------------------------------


def operators(s: Session, *, by: Actor) -> Sequence[sa.Row[Operator, Person]]:
    """Every operator with her person: (Operator, Person)."""
    require(s, by, "operator.edit")
    query = sa.select(Operator, Person).join(Person, Person.id == Operator.person_id).order_by(Person.campus_no)
    return s.execute(query).all()


def make_operator(
    s: Session, *, person_id: int, password: str, by: Actor, now: datetime, totp_secret: str | None = None
) -> str:
    """The person signs in to the console from now on; the otpauth URI of her authenticator, shown once.

    What she may do there is decided by her roles. Raises WeakPassword, Conflict when she is one already.
    """
    require(s, by, "operator.edit")
    person = hold(s, Person, id=person_id)
    _strong(password, person)
    secret = totp_secret or pyotp.random_base32()
    operator = Operator(
        person_id=person.id, password_hash=hash_password(password), totp_sealed=crypto.seal(secret), totp_last_step=0,
        failures=0,
    )  # fmt: skip
    if not insert_once(s, operator):
        raise Conflict("已经是控制台用户", campus_no=person.campus_no)
    audit(s, by, "operator.make", f"person:{person.campus_no}", now=now)
    return _uri(secret, person)


def set_password(
    s: Session, *, person_id: int, password: str, by: Actor, now: datetime, old: str | None = None
) -> None:
    """The operator's password is this one; her other console sessions are over.

    Her own needs the old one (a wrong one is counted); somebody else's needs `operator.edit`. Raises WeakPassword.
    """
    person = found(s, Person, id=person_id)
    if person_id == by.person_id:
        check_password(s, campus_no=person.campus_no, password=old or "", now=now)
    else:
        require(s, by, "operator.edit")
    operator = hold(s, Operator, person_id=person_id)
    _strong(password, person)
    operator.password_hash = hash_password(password)
    _end_others(s, person_id, by, now)
    audit(s, by, "operator.set_password", f"person:{person.campus_no}", now=now)


def enroll_totp(s: Session, *, person_id: int, by: Actor, now: datetime) -> str:
    """A new authenticator secret counts from now on, the one before no longer; its otpauth URI, shown once.

    Her own, or with `operator.edit` somebody's who lost her phone.
    """
    if person_id != by.person_id:
        require(s, by, "operator.edit")
    person = found(s, Person, id=person_id)
    operator = hold(s, Operator, person_id=person_id)
    secret = pyotp.random_base32()
    operator.totp_sealed, operator.totp_last_step = crypto.seal(secret), 0
    _end_others(s, person_id, by, now)
    audit(s, by, "operator.enroll_totp", f"person:{person.campus_no}", now=now)
    return _uri(secret, person)


def disable_operator(s: Session, *, person_id: int, by: Actor, now: datetime) -> None:
    """The operator can no longer sign in, and is signed out of the console at once."""
    require(s, by, "operator.edit")
    if person_id == by.person_id:
        raise Conflict("不能停用自己的账号")
    operator = hold(s, Operator, person_id=person_id)
    operator.disabled_at = operator.disabled_at or now
    sessions.end_all(s, person_id, now=now, door=sessions.CONSOLE)
    audit(s, by, "operator.disable", f"person:{_no(s, person_id)}", now=now)


def enable_operator(s: Session, *, person_id: int, by: Actor, now: datetime) -> None:
    """The operator can sign in again, also when wrong tries had locked her number."""
    require(s, by, "operator.edit")
    operator = hold(s, Operator, person_id=person_id)
    operator.disabled_at, operator.failures, operator.locked_until = None, 0, None
    attempts.forget(s, _key(_no(s, person_id)))
    audit(s, by, "operator.enable", f"person:{_no(s, person_id)}", now=now)
    s.flush()


def _no(s: Session, person_id: int) -> str:
    return s.scalars(sa.select(Person.campus_no).where(Person.id == person_id)).one()


def _end_others(s: Session, person_id: int, by: Actor, now: datetime) -> None:
    """Every console session of the operator is over but the one that asks."""
    s.flush()
    sessions.end_all(s, person_id, now=now, door=sessions.CONSOLE, but=by.session_id)


def _strong(password: str, person: Person) -> None:
    low = password.casefold()
    weak = (
        not MIN_LENGTH <= len(password) <= MAX_LENGTH
        or person.campus_no.casefold() in low
        or len(set(low)) < 5
        or any(low.strip("0123456789!@#.") == word.strip("0123456789") != "" for word in COMMON)
        or any(low.startswith(word) and len(low) - len(word) <= 4 for word in COMMON)
    )
    if weak:
        raise WeakPassword(fields={"password": WeakPassword.text})


def _uri(secret: str, person: Person) -> str:
    return pyotp.TOTP(secret).provisioning_uri(name=person.campus_no, issuer_name=ISSUER)


__all__ = [
    "NumberLocked", "WeakPassword", "WrongSignIn", "check_password", "check_totp", "disable_operator", "enable_operator",
    "enroll_totp", "hash_password", "make_operator", "operators", "set_password", "sign_in", "sign_in_by_sso",
]  # fmt: skip
