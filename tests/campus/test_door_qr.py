"""Each door has one QR of the official account, asked for once. P5."""

import pytest
import sqlalchemy as sa

from campus import door_qr
from core.db import reading, run
from core.errors import Forbidden, Refused
from models.access import SYSTEM
from models.outbox import Debt
from models.places import DoorCode
from tests.kit import NOON, actor, make_person, make_place


@pytest.fixture
def building(either_db):
    top = make_place("D12", kind="building")
    for number in (401, 402):
        make_place(f"D12-{number}", under=top)
    return top


def owe(by=SYSTEM):
    return run(lambda s: door_qr.owe_qrs(s, code="D12", by=by, now=NOON))


def debts():
    with reading() as s:
        return [debt.payload["door_code"] for debt in s.scalars(sa.select(Debt))]


def test_every_door_below_is_asked_for_once(building):
    assert (owe(), owe()) == (3, 0)
    assert len(set(debts())) == 3


def test_what_the_platform_answers_stands_on_the_door_and_is_not_asked_for_again(building):
    owe()
    code = debts()[0]
    wanted = run(lambda s: door_qr.begin(s, door_code=code, now=NOON))
    run(lambda s: door_qr.record(s, wanted, ("TICKET", "http://weixin.qq.com/q/abc"), now=NOON))
    with reading() as s:
        assert s.scalar(sa.select(DoorCode.qr_url).where(DoorCode.code == code)) == "http://weixin.qq.com/q/abc"
        assert door_qr.begin(s, door_code=code, now=NOON) is None
        assert door_qr.made(s, code="D12") == (1, 3)


def test_a_refusal_leaves_the_plain_link(building):
    owe()
    wanted = run(lambda s: door_qr.begin(s, door_code=debts()[0], now=NOON))
    run(lambda s: door_qr.record(s, wanted, Refused("48001"), now=NOON))
    with reading() as s:
        assert door_qr.made(s, code="D12") == (0, 3)


def test_who_may_not_print_doors_asks_for_nothing(building):
    with pytest.raises(Forbidden):
        owe(actor(make_person(), way="console"))
    assert debts() == []
