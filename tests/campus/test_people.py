"""Binding and signing in, as the campus knows it (P1–P3, P8, P11)."""

from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campus import people, sessions
from campus.people import Known
from core import crypto
from core.db import reading, run
from core.errors import Forbidden, Invalid, NotFound
from models.access import SYSTEM, LoginSession
from models.audit import AuditLine
from models.people import BindAttempt, BindCode, Follower, Identity, Person
from tests.kit import NOON, actor, bind, make_person

MINUTE = timedelta(minutes=1)
WHERE = {"ip": "127.0.0.1", "agent": "test"}
MINI = Known("mini", "omini-lin", "union-lin")
OFFICIAL = Known("official", "ooff-lin", "union-lin")


def sign_in(identity, now=NOON):
    return run(lambda s: people.sign_in(s, identity=identity, way=str(identity.kind), now=now, **WHERE))


def code_for(person, now=NOON):
    return run(lambda s: people.issue_code(s, person_id=person.id, by=SYSTEM, now=now))


def with_code(campus_no, name, code, now=NOON):
    return run(
        lambda s: people.sign_in_with_code(s, campus_no=campus_no, name=name, code=code, way="h5", now=now, **WHERE)
    )


def session_of(token, now=NOON, door="api"):
    with reading() as s:
        return sessions.session_of(s, token, door=door, now=now)


def bind_here(token, person, name=None, code=None, now=NOON):
    session = session_of(token, now)
    code = code or code_for(person, now)
    by = sessions.actor(session, "RQ1", "127.0.0.1")
    return run(
        lambda s: people.bind_with_code(
            s, session=session, campus_no=person.campus_no, name=name or person.name, code=code, by=by, now=now
        )
    )


def count(model, *where):
    with reading() as s:
        return s.scalar(sa.select(sa.func.count()).select_from(model).where(*where))


def live(person):
    with reading() as s:
        rows = s.scalars(sa.select(Identity).where(Identity.person_id == person.id, Identity.live.is_(True))).all()
        return {row.kind: row.subject for row in rows}


def test_a_newcomer_signs_in_as_nobody_and_binds_with_the_code_of_the_office(either_db):
    lin = make_person("林小雨")
    token, person = sign_in(MINI)
    assert person is None
    assert session_of(token).person_id is None
    assert bind_here(token, lin).id == lin.id
    assert session_of(token).person_id == lin.id
    assert sign_in(MINI)[1].id == lin.id


def test_a_code_works_once_and_for_a_day(either_db):
    lin = make_person("林小雨")
    code = code_for(lin)
    assert with_code(lin.campus_no, "林小雨", code.lower().replace("-", " "))[1].id == lin.id
    with pytest.raises(people.WrongProof):
        with_code(lin.campus_no, "林小雨", code)
    late = code_for(lin)
    with pytest.raises(people.WrongProof):
        with_code(lin.campus_no, "林小雨", late, now=NOON + timedelta(hours=24))
    assert count(LoginSession) == 1


def test_a_new_code_voids_the_one_before(db):
    lin = make_person("林小雨")
    first, second = code_for(lin), code_for(lin)
    with pytest.raises(people.WrongProof):
        with_code(lin.campus_no, "林小雨", first)
    assert with_code(lin.campus_no, "林小雨", second)


def test_wrong_name_wrong_code_and_no_such_number_get_the_same_answer(db):
    lin = make_person("林小雨")
    code = code_for(lin)
    answers = set()
    for number, name, typed in [
        (lin.campus_no, "陈思远", code),
        (lin.campus_no, "林小雨", "AAAA-AAAA"),
        ("NOBODY", "林小雨", code),
    ]:
        with pytest.raises(people.WrongProof) as why:
            with_code(number, name, typed)
        answers.add((type(why.value), why.value.code, why.value.detail))
    assert len(answers) == 1
    assert count(LoginSession) == 0
    assert count(BindCode, BindCode.used_at.is_not(None)) == 0


def test_five_wrong_tries_lock_the_number_for_fifteen_minutes_even_for_the_right_code(either_db):
    lin, chen = make_person("林小雨"), make_person("陈思远")
    code, other = code_for(lin), code_for(chen)
    for minute in range(5):
        with pytest.raises(people.WrongProof):
            with_code(lin.campus_no, "林小雨", "AAAA-AAAA", now=NOON + minute * MINUTE)
    with pytest.raises(people.NumberLocked) as why:
        with_code(lin.campus_no, "林小雨", code, now=NOON + 18 * MINUTE)
    assert why.value.facts["retry_after_s"] == 60
    assert with_code(chen.campus_no, "陈思远", other, now=NOON + 5 * MINUTE)
    assert with_code(lin.campus_no, "林小雨", code, now=NOON + 19 * MINUTE)[1].id == lin.id
    assert count(BindAttempt, BindAttempt.campus_no == lin.campus_no) == 0


def test_four_wrong_tries_and_one_an_hour_later_lock_nothing(db):
    lin = make_person("林小雨")
    code = code_for(lin)
    for minute in (0, 1, 2, 3, 60):
        with pytest.raises(people.WrongProof):
            with_code(lin.campus_no, "林小雨", "AAAA-AAAA", now=NOON + minute * MINUTE)
    assert with_code(lin.campus_no, "林小雨", code, now=NOON + 61 * MINUTE)


@pytest.mark.race
def test_of_40_guesses_at_the_same_instant_five_are_looked_at(mariadb, rush):
    lin = make_person("林小雨")
    code_for(lin)
    answers = rush(lambda guess: with_code(lin.campus_no, "林小雨", f"AAAA-{guess:04d}"), range(40), threads=16)
    assert Counter(map(type, answers)) == {people.WrongProof: 5, people.NumberLocked: 35}


@pytest.mark.race
def test_a_code_used_by_two_at_the_same_instant_lets_one_in(mariadb, rush):
    lin = make_person("林小雨")
    code = code_for(lin)
    answers = rush(lambda _: with_code(lin.campus_no, "林小雨", code), range(4))
    assert Counter(map(type, answers)) == {tuple: 1, people.WrongProof: 3}


def test_who_was_suspended_cannot_bind_and_is_signed_out(either_db):
    lin = make_person("林小雨")
    bind(lin, "mini", MINI.subject)
    token, _ = sign_in(MINI)
    code = code_for(lin)
    run(lambda s: people.edit_person(s, person_id=lin.id, status="suspended", by=SYSTEM, now=NOON))
    assert session_of(token) is None
    with pytest.raises(people.WrongProof):
        with_code(lin.campus_no, "林小雨", code)
    with pytest.raises(people.AccountOff):
        sign_in(MINI)


def test_an_identity_of_somebody_else_is_not_taken_over(either_db):
    lin, chen = make_person("林小雨"), make_person("陈思远")
    token, _ = sign_in(MINI)
    bind_here(token, lin)
    token, _ = sign_in(MINI)
    code = code_for(chen)
    with pytest.raises(people.AlreadyBound):
        bind_here(token, chen, code=code)
    assert live(lin) == {"mini": MINI.subject}
    assert live(chen) == {}
    assert with_code(chen.campus_no, "陈思远", code)  # the refused deed did not use the code up


def test_a_new_phone_takes_the_place_of_the_old_one_and_history_stays(either_db):
    lin = make_person("林小雨")
    old, _ = sign_in(MINI)
    bind_here(old, lin)
    new, _ = sign_in(Known("mini", "omini-new"))
    bind_here(new, lin)
    assert live(lin) == {"mini": "omini-new"}
    assert count(Identity, Identity.person_id == lin.id) == 2
    assert session_of(old) is None


def test_unionid_links_the_two_wechat_identities_by_itself(either_db):
    lin = make_person("林小雨")
    bind(lin, "mini", MINI.subject, unionid="union-lin")
    assert sign_in(OFFICIAL)[1].id == lin.id
    assert live(lin) == {"mini": MINI.subject, "official": OFFICIAL.subject}


def test_a_follower_is_linked_when_the_mini_program_is_bound(either_db):
    lin = make_person("林小雨")
    assert run(lambda s: people.on_follow(s, openid=OFFICIAL.subject, unionid="union-lin", now=NOON)) is None
    token, _ = sign_in(MINI)
    bind_here(token, lin)
    assert live(lin) == {"mini": MINI.subject, "official": OFFICIAL.subject}


def test_unionid_does_not_replace_another_wechat_of_hers(db):
    lin = make_person("林小雨")
    bind(lin, "mini", "omini-lin", unionid="union-lin")
    bind(lin, "official", "ooff-second", unionid="union-second")
    assert sign_in(OFFICIAL)[1] is None
    assert live(lin)["official"] == "ooff-second"


def test_a_wecom_userid_equal_to_a_staff_number_binds_by_itself(either_db):
    wang = make_person("王建国", campus_no="G2001", kind="worker")
    lin = make_person("林小雨", campus_no="2023010101")
    assert sign_in(Known("wecom", "G2001"))[1].id == wang.id
    assert sign_in(Known("wecom", "2023010101"))[1] is None  # a student's number proves nothing
    assert live(wang) == {"wecom": "G2001"}
    assert live(lin) == {}


def test_a_snapshot_visitor_is_never_bound(db):
    lin = make_person("林小雨")
    bind(lin, "mini", MINI.subject, unionid="union-lin")
    with pytest.raises(people.SnapshotVisitor):
        sign_in(Known("official", "ovirtual", "union-lin", snapshot=True))
    assert live(lin) == {"mini": MINI.subject}
    assert count(LoginSession) == 0


def test_unsubscribing_unbinds_and_deletes_what_the_platform_gave(either_db):
    lin = make_person("林小雨")
    run(lambda s: people.on_follow(s, openid=OFFICIAL.subject, unionid="union-lin", now=NOON))
    bind(lin, "mini", MINI.subject, unionid="union-lin")
    token, _ = sign_in(OFFICIAL)
    run(lambda s: people.on_unfollow(s, openid=OFFICIAL.subject, now=NOON + MINUTE))
    assert live(lin) == {"mini": MINI.subject}
    assert session_of(token, NOON + MINUTE) is None
    for model, column in [
        (Identity, Identity.subject),
        (LoginSession, LoginSession.subject),
        (Follower, Follower.openid),
    ]:
        assert count(model, column == OFFICIAL.subject) == 0
    assert count(Identity, Identity.person_id == lin.id) == 2  # the history says that there was one
    assert run(lambda s: people.on_follow(s, openid=OFFICIAL.subject, unionid="union-lin", now=NOON)).id == lin.id


def test_unbinding_wechat_takes_the_twin_along_or_it_would_come_back_by_itself(db):
    lin = make_person("林小雨")
    bind(lin, "mini", MINI.subject, unionid="union-lin")
    token, _ = sign_in(OFFICIAL)
    run(lambda s: people.unbind(s, kind="mini", by=actor(lin), now=NOON))
    assert live(lin) == {}
    assert session_of(token) is None
    assert sign_in(MINI)[1] is None
    with pytest.raises(NotFound):
        run(lambda s: people.unbind(s, kind="mini", by=actor(lin), now=NOON))


def test_an_sso_ticket_works_once_within_five_minutes(either_db):
    lin = make_person("林小雨")

    def ticket(campus_no=lin.campus_no):
        return run(lambda s: people.keep_sso_ticket(s, campus_no=campus_no, name="林小雨", now=NOON))

    def use(value, now=NOON):
        return run(lambda s: people.sign_in_with_sso_ticket(s, ticket=value, way="h5", now=now, **WHERE))

    good = ticket()
    assert use(good)[1].id == lin.id
    for value, now in [(good, NOON), (ticket(), NOON + 5 * MINUTE), ("nonsense", NOON)]:
        with pytest.raises(people.TicketUsed):
            use(value, now)
    with pytest.raises(people.NotOnCampus):
        use(ticket("NOBODY"))
    assert count(LoginSession) == 1


def test_sso_binds_the_identity_of_the_session(db):
    lin = make_person("林小雨")
    token, _ = sign_in(MINI)
    session = session_of(token)
    ticket = run(lambda s: people.keep_sso_ticket(s, campus_no=lin.campus_no, name="林小雨", now=NOON))
    by = sessions.actor(session, "RQ1", "127.0.0.1")
    run(lambda s: people.bind_with_sso(s, session=session, ticket=ticket, by=by, now=NOON))
    assert live(lin) == {"mini": MINI.subject}


def test_a_session_ends_with_its_time_its_end_and_its_door(either_db):
    lin = make_person("林小雨")
    bind(lin, "mini", MINI.subject)
    token, _ = sign_in(MINI)
    assert session_of(token, NOON + timedelta(days=29)) is not None
    assert session_of(token, NOON + timedelta(days=30)) is None
    assert session_of(token, door="console") is None
    assert session_of("x" * 43) is None
    run(lambda s: sessions.end_session(s, session_of(token).id, now=NOON))
    assert session_of(token) is None


def test_seen_slides_at_most_once_a_minute_and_only_where_something_may_be_written(either_db):
    lin = make_person("林小雨")
    bind(lin, "mini", MINI.subject)
    token, _ = sign_in(MINI)

    def look(now):
        return run(lambda s: sessions.session_of(s, token, door="api", now=now)).seen_at

    assert look(NOON + timedelta(seconds=59)) == NOON
    assert look(NOON + timedelta(seconds=60)) == NOON + timedelta(seconds=60)
    assert session_of(token, NOON + timedelta(hours=1)).seen_at == NOON + timedelta(seconds=60)


def test_the_token_itself_is_stored_nowhere(db):
    token, _ = sign_in(MINI)
    with reading() as s:
        row = s.scalars(sa.select(LoginSession)).one()
        assert row.token_hash == crypto.hash_token(token)
        assert token not in str({name: getattr(row, name) for name in row.__table__.columns.keys()})  # noqa: SIM118  columns, not a dict


def test_a_phone_number_is_sealed_masked_and_revealed_only_with_a_reason(either_db):
    lin = make_person("林小雨", phone="13800010101")
    zhao = make_person("赵敏", kind="staff", roles=("dispatcher",))
    with reading() as s:
        row = s.get(Person, lin.id)
        assert "13800010101" not in str({name: getattr(row, name) for name in row.__table__.columns.keys()})  # noqa: SIM118  columns, not a dict
        assert row.phone_masked == "138****0101"

    def reveal(by, reason):
        return run(lambda s: people.reveal_phone(s, person_id=lin.id, reason=reason, by=actor(by), now=NOON))

    with pytest.raises(Invalid):
        reveal(zhao, "  ")
    with pytest.raises(Forbidden) as why:
        reveal(lin, "想看看自己的")
    assert "查看完整手机号" in why.value.detail
    assert count(AuditLine, AuditLine.deed == "person.reveal") == 0
    assert reveal(zhao, "联系不上，电话催修") == "13800010101"
    with reading() as s:
        line = s.scalars(sa.select(AuditLine).where(AuditLine.deed == "person.reveal")).one()
        assert (line.person_id, line.after) == (zhao.id, {"reason": "联系不上，电话催修"})


def test_the_mini_program_asks_for_consent_before_it_takes_a_phone_number(db):
    lin = make_person("林小雨")
    by = actor(lin, "mini")
    with pytest.raises(people.ConsentNeeded):
        run(lambda s: people.set_phone(s, phone="13800010101", by=by, now=NOON))
    with pytest.raises(Invalid):
        run(lambda s: people.give_consent(s, kind="privacy", version="old", by=by, now=NOON))
    for _ in range(2):
        run(lambda s: people.give_consent(s, kind="privacy", version=people.PRIVACY.version, by=by, now=NOON))
    run(lambda s: people.set_phone(s, phone="+86 138 0001 0101", by=by, now=NOON))
    with reading() as s:
        assert s.get(Person, lin.id).phone_masked == "138****0101"


@pytest.mark.parametrize("phone", ["", "12345678901", "1380001010", "138000101011", "13８00010101x"])
def test_what_is_no_mobile_number_is_refused(db, phone):
    lin = make_person("林小雨")
    with pytest.raises(Invalid):
        run(lambda s: people.set_phone(s, phone=phone, by=actor(lin, "h5"), now=NOON))
