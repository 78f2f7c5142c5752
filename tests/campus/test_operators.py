"""The console's sign-in (P7)."""

from collections import Counter
from datetime import timedelta

import pyotp
import pytest
import sqlalchemy as sa

from campus import operators, people, sessions
from core.db import reading, run
from core.errors import Conflict, Forbidden
from models.access import SYSTEM, LoginSession, Operator
from models.audit import AuditLine
from models.people import BindAttempt
from tests.kit import NOON, actor, make_person

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD = "Vt7-kq2-Zp9x"
MINUTE = timedelta(minutes=1)
HERE = {"ip": "127.0.0.1", "agent": "test"}


def code(now=NOON, secret=SECRET):
    return pyotp.TOTP(secret).at(now)


@pytest.fixture
def zhao(either_db):
    person = make_person("赵敏", campus_no="T1001", kind="staff", roles=("dispatcher",))
    make(person)
    return person


def make(person, password=PASSWORD, by=SYSTEM):
    return run(
        lambda s: operators.make_operator(
            s, person_id=person.id, password=password, by=by, now=NOON, totp_secret=SECRET
        )
    )


def sign_in(campus_no="T1001", password=PASSWORD, totp=None, now=NOON):
    return run(
        lambda s: operators.sign_in(
            s, campus_no=campus_no, password=password, code=code(now) if totp is None else totp, now=now, **HERE
        )
    )


def session_of(token, now=NOON):
    with reading() as s:
        return sessions.session_of(s, token, door="console", now=now)


def count(model, *where):
    with reading() as s:
        return s.scalar(sa.select(sa.func.count()).select_from(model).where(*where))


def test_number_password_and_code_open_a_console_session_and_leave_a_line(zhao):
    token = sign_in()
    assert session_of(token).person_id == zhao.id
    assert count(AuditLine, AuditLine.deed == "console.sign_in") == 1
    with reading() as s:
        row = s.scalars(sa.select(Operator)).one()
        assert row.password_hash.startswith("$argon2id$")
        assert SECRET not in row.totp_sealed


@pytest.mark.parametrize(
    ("campus_no", "password", "totp"),
    [
        ("T1001", "wrong-password", None),
        ("T1001", PASSWORD, "000000"),
        ("T9999", PASSWORD, None),
        ("T1001", PASSWORD, ""),
    ],
)
def test_whatever_is_wrong_the_answer_is_the_same_and_nobody_is_in(zhao, campus_no, password, totp):
    with pytest.raises(operators.WrongSignIn) as why:
        sign_in(campus_no, password, totp)
    assert why.value.detail == operators.WrongSignIn.text
    assert count(LoginSession) == 0
    assert count(BindAttempt) == 1  # the refused deed still counts


def test_a_code_works_once(zhao):
    sign_in()
    with pytest.raises(operators.WrongSignIn):
        sign_in()
    with pytest.raises(operators.WrongSignIn):
        sign_in(now=NOON + timedelta(seconds=10))  # still the same step
    assert sign_in(now=NOON + timedelta(seconds=30))


@pytest.mark.parametrize(("late_s", "good"), [(-31, False), (0, True), (29, True), (59, True), (60, False)])
def test_a_code_is_good_for_its_step_and_one_to_either_side(zhao, late_s, good):
    said = code(NOON)
    later = NOON + timedelta(seconds=late_s)
    if good:
        assert sign_in(totp=said, now=later)
    else:
        with pytest.raises(operators.WrongSignIn):
            sign_in(totp=said, now=later)


@pytest.mark.parametrize("campus_no", ["T1001", "T9999"])
def test_five_wrong_tries_lock_the_number_whether_there_is_such_an_operator_or_not(zhao, campus_no):
    for second in range(5):
        with pytest.raises(operators.WrongSignIn):
            sign_in(campus_no, "wrong-password", now=NOON + timedelta(seconds=second))
    with pytest.raises(operators.NumberLocked):
        sign_in(campus_no, now=NOON + 14 * MINUTE)
    assert count(LoginSession) == 0
    if campus_no == "T1001":
        with reading() as s:
            assert s.scalars(sa.select(Operator)).one().locked_until == NOON + 15 * MINUTE + timedelta(seconds=4)
        assert sign_in(now=NOON + 16 * MINUTE)


@pytest.mark.race
def test_of_30_guesses_at_the_same_instant_five_are_looked_at(mariadb, rush):
    make(make_person("赵敏", campus_no="T1001", kind="staff", roles=("dispatcher",)))
    answers = rush(lambda guess: sign_in(password=f"wrong-{guess}"), range(30), threads=10)
    assert Counter(map(type, answers)) == {operators.WrongSignIn: 5, operators.NumberLocked: 25}


@pytest.mark.race
def test_one_code_used_by_two_at_the_same_instant_lets_one_in(mariadb, rush):
    make(make_person("赵敏", campus_no="T1001", kind="staff", roles=("dispatcher",)))
    answers = rush(lambda _: sign_in(), range(4))
    assert Counter(map(type, answers)) == {str: 1, operators.WrongSignIn: 3}


def test_who_has_no_role_for_the_console_is_told_which_permission_is_missing(db):
    lin = make_person("林小雨", campus_no="T1009", kind="staff")
    make(lin)
    with pytest.raises(Forbidden) as why:
        sign_in("T1009")
    assert "登录管理控制台" in why.value.detail
    with pytest.raises(Forbidden):
        run(lambda s: operators.sign_in_by_sso(s, campus_no="T1009", now=NOON, **HERE))
    assert count(LoginSession) == 0


def test_sso_lets_in_whom_the_roles_let_in_and_nobody_who_was_disabled(zhao):
    def by_sso(number="T1001"):
        return run(lambda s: operators.sign_in_by_sso(s, campus_no=number, now=NOON, **HERE))

    assert session_of(by_sso()).way == "sso"
    with pytest.raises(Forbidden):
        by_sso("T9999")
    run(lambda s: operators.disable_operator(s, person_id=zhao.id, by=SYSTEM, now=NOON))
    with pytest.raises(people.AccountOff):
        by_sso()


def test_disabling_an_operator_ends_her_sessions_and_enabling_lets_her_back(zhao):
    token = sign_in()
    run(lambda s: operators.disable_operator(s, person_id=zhao.id, by=SYSTEM, now=NOON))
    assert session_of(token) is None
    later = NOON + MINUTE
    with pytest.raises(operators.WrongSignIn):
        sign_in(now=later)
    run(lambda s: operators.enable_operator(s, person_id=zhao.id, by=SYSTEM, now=later))
    assert sign_in(now=later)


def test_a_console_session_ends_after_30_idle_minutes_and_after_8_hours(zhao):
    token, now = sign_in(), NOON

    def alive(now):
        return run(lambda s: sessions.session_of(s, token, door="console", now=now)) is not None

    while now + timedelta(minutes=29) < NOON + timedelta(hours=8):
        now += timedelta(minutes=29)
        assert alive(now)
    assert not alive(NOON + timedelta(hours=8))
    other = sign_in(now=NOON + timedelta(hours=9))
    assert session_of(other, NOON + timedelta(hours=9, minutes=29)) is not None
    assert session_of(other, NOON + timedelta(hours=9, minutes=30)) is None


@pytest.mark.parametrize(
    "password", ["short1!", "T1001-secret-x", "password1234", "1111111111", "x" * 129, "aaaaaaaaaaaa"]
)
def test_a_weak_password_is_refused(zhao, password):
    with pytest.raises(operators.WeakPassword):
        run(lambda s: operators.set_password(s, person_id=zhao.id, password=password, by=SYSTEM, now=NOON))
    assert sign_in()


def test_a_new_password_needs_the_old_one_and_ends_the_other_sessions(zhao):
    mine, other = sign_in(), sign_in(now=NOON + MINUTE)
    by = sessions.actor(session_of(mine), "RQ1", "127.0.0.1")

    def change(old):
        run(
            lambda s: operators.set_password(
                s, person_id=zhao.id, password="Neue-9r-Zkw2", by=by, now=NOON + MINUTE, old=old
            )
        )

    with pytest.raises(operators.WrongSignIn):
        change("not the old one")
    assert session_of(other, NOON + MINUTE) is not None
    change(PASSWORD)
    assert session_of(other, NOON + MINUTE) is None
    assert session_of(mine, NOON + MINUTE) is not None
    assert sign_in(password="Neue-9r-Zkw2", now=NOON + 2 * MINUTE)


def test_a_new_authenticator_replaces_the_old_one(zhao):
    uri = run(lambda s: operators.enroll_totp(s, person_id=zhao.id, by=actor(zhao, "console"), now=NOON))
    new = pyotp.parse_uri(uri)
    with pytest.raises(operators.WrongSignIn):
        sign_in()
    assert sign_in(totp=new.at(NOON))


def test_operators_are_made_by_those_who_may(zhao):
    lin = make_person("林小雨", kind="staff")
    with pytest.raises(Forbidden):
        make(lin, by=actor(zhao, "console"))
    with pytest.raises(Forbidden):
        run(lambda s: operators.enroll_totp(s, person_id=zhao.id, by=actor(lin, "console"), now=NOON))
    assert count(Operator) == 1
    with pytest.raises(Conflict):
        make(zhao)


def test_check_password_and_check_totp_one_after_the_other(zhao):
    def check(totp):
        person_id = run(lambda s: operators.check_password(s, campus_no="T1001", password=PASSWORD, now=NOON))
        run(lambda s: operators.check_totp(s, person_id=person_id, code=totp, now=NOON))
        return person_id

    assert check(code()) == zhao.id
    with pytest.raises(operators.WrongSignIn):
        check(code())
