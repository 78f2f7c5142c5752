"""One history for both databases, forwards and back, with data in the tables."""

import pytest
import sqlalchemy as sa
from alembic import command

from core import db
from models import migrations
from models.outbox import Debt, owe
from models.people import Person
from models.repairs import Ticket
from tests.kit import NOON, make_fault, make_person, make_place


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.race)])
def url(request, tmp_path):
    return f"sqlite:///{tmp_path / 'm.db'}" if request.param == "sqlite" else request.getfixturevalue("mariadb_url")


def fill():
    person, place, fault = make_person(phone="13800001234"), make_place(), make_fault()
    values = {"text": "空调不制冷 🥵", "state": "filed", "way": "mini", "received_at": NOON, "filed_at": NOON}
    db.run(
        lambda s: s.add(
            Ticket(no="WX2609017QK2M9X4CD", place_id=place.id, fault_type_id=fault.id, requester_id=person.id, **values)
        )
    )
    db.run(lambda s: owe(s, "repair.dispatch", key="repair.dispatch:WX1", due_at=NOON, ticket_no="WX1"))


def test_the_revisions_make_exactly_the_tables_of_the_models(url):
    migrations.upgrade(url)
    command.check(migrations.settings(url))
    engine = sa.create_engine(url)
    assert migrations.is_current(engine)
    engine.dispose()


def test_every_revision_goes_back_and_forth_with_data_in_the_tables(url):
    migrations.upgrade(url)
    database = db.connect(url)
    fill()
    with db.reading() as s:
        before = (
            s.scalar(sa.select(Ticket.text)),
            s.scalar(sa.select(Person.phone_masked)),
            s.scalar(sa.select(Debt.key)),
        )
    assert before == ("空调不制冷 🥵", "138****1234", "repair.dispatch:WX1")
    database.dispose()
    migrations.downgrade(url, "base")
    engine = sa.create_engine(url)
    assert set(sa.inspect(engine).get_table_names()) <= {"alembic_version"}
    assert not migrations.is_current(engine)
    engine.dispose()
    migrations.upgrade(url)
    database = db.connect(url)
    fill()
    database.dispose()
