"""The same over HTTP on a real MariaDB: a repair's whole way, words byte for byte, every object × every role."""

from typing import Any

import pytest

from tests.miniprogram_api.test_hostile import TEXTS
from tests.miniprogram_api.test_hostile import test_words_are_kept_byte_for_byte as words_are_kept
from tests.miniprogram_api.test_matrix import test_nobody_learns_or_moves_what_is_not_theirs as nobody_learns
from tests.miniprogram_api.test_repairs import (
    test_a_repair_is_filed_followed_done_accepted_and_rated as spine,
)
from tests.miniprogram_api.test_repairs import (
    test_lists_go_on_where_they_ended as lists_go_on,
)
from tests.miniprogram_api.test_repairs import (
    test_the_same_key_files_one_repair as same_key,
)

pytestmark = pytest.mark.race  # needs a database server

test_a_repair_goes_its_whole_way = spine
test_the_same_key_files_one_repair = same_key
test_lists_go_on_where_they_ended = lists_go_on
test_nobody_learns_or_moves_what_is_not_theirs = nobody_learns


@pytest.fixture
def db(mariadb: Any) -> Any:
    return mariadb


def test_words_are_kept_byte_for_byte(as_, world):
    for name in TEXTS:
        words_are_kept(as_, world, name)


def test_two_taps_at_the_same_instant_file_one_repair(app, world, rush):
    def tap(_: int) -> Any:
        headers = {"Authorization": f"Bearer {world.tokens['requester']}", "Idempotency-Key": "two-taps-at-once"}
        repair = {"place": "D12-402", "fault": "aircon", "text": "滴水", "photos": []}
        return app.test_client().post("/api/v1/repairs", json=repair, headers=headers)

    answers = rush(tap, range(8))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json["no"] for answer in answers}) == 1


def test_one_code_posted_at_the_same_instant_binds_once(app, world, rush):
    from campus import people
    from core import clock
    from core.db import run
    from tests.kit import actor, make_person
    from tests.miniprogram_api.conftest import open_session

    admin = make_person("周卫东", roles=("admin",), kind="staff")
    code = run(lambda s: people.issue_code(s, person_id=world.other.id, by=actor(admin), now=clock.now()))
    tokens = [open_session(None, way="mini", subject=f"o-{number}") for number in range(6)]
    proof = {"way": "code", "campus_no": world.other.campus_no, "name": world.other.name, "code": code}

    def bind(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return app.test_client().post("/api/v1/bindings", json=proof, headers=headers).status_code

    assert sorted(rush(bind, tokens))[:2] == [200, 422]
