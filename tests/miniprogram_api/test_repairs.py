"""A repair over HTTP, from filed to rated, and what is refused on the way."""

import sqlalchemy as sa

from core.db import reading
from models.repairs import Ticket
from tests.miniprogram_api.world import PHONE

REPAIR = {"place": "D12-402", "fault": "aircon", "text": "空调不制冷", "photos": []}


def key(name: str) -> dict[str, str]:
    return {"Idempotency-Key": f"key-{name}-0001"}


def tickets() -> int:
    with reading() as s:
        return s.scalar(sa.select(sa.func.count()).select_from(Ticket)) or 0


def test_a_repair_is_filed_followed_done_accepted_and_rated(as_, world):
    lin, wang = as_("requester"), as_("assignee")
    filed = lin.post("/repairs", json=REPAIR | {"contact_phone": PHONE, "door": world.door}, headers=key("spine"))
    assert filed.status_code == 201, filed.text
    no = filed.json["no"]
    assert filed.headers["Location"] == f"/api/v1/repairs/{no}"
    assert (filed.json["state"], filed.json["way"], filed.json["actions"]) == ("filed", "scan", ["cancel"])

    no = world.ticket
    assert wang.get(f"/repairs/{no}").json["actions"] == ["take"]
    assert wang.post(f"/repairs/{no}/take", json={}).json["state"] == "working"
    assert wang.post(f"/repairs/{no}/arrive", json={"door": world.door}).status_code == 200
    done = wang.post(f"/repairs/{no}/finish", json={"result": "fixed", "note": "换了电容", "photos": []})
    assert (done.status_code, done.json["state"]) == (200, "done"), done.text
    assert lin.post(f"/repairs/{no}/accept", json={}).json["state"] == "closed"
    marks = {"quality": 5, "attitude": 5, "speed": 4, "result": 5, "text": "很快", "photos": []}
    rated = lin.post(f"/repairs/{no}/rate", json=marks)
    assert rated.json["rating"] == {k: v for k, v in marks.items() if k != "photos"}
    assert [step["action"] for step in rated.json["steps"]][-3:] == ["finish", "accept", "rate"]


def test_the_same_key_files_one_repair(as_, world):
    before = tickets()
    answers = [as_("requester").post("/repairs", json=REPAIR, headers=key("twice")) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json["no"] == answers[1].json["no"]
    assert tickets() == before + 1


def test_a_repair_without_a_key_is_not_filed(as_, world):
    before = tickets()
    answer = as_("requester").post("/repairs", json=REPAIR)
    assert (answer.status_code, answer.json["fields"]) == (422, {"idempotency_key": "必填"})
    assert tickets() == before


def test_only_the_worker_reads_the_whole_phone_number(as_, world):
    no = world.ticket
    assert as_("assignee").get(f"/repairs/{no}").json["contact"]["phone"] == PHONE
    assert as_("requester").get(f"/repairs/{no}").json["contact"] == {
        "name": "林小雨",
        "phone_masked": "138****0101",
        "phone": None,
    }


def test_a_repair_that_has_not_changed_is_304(as_, world):
    first = as_("requester").get(f"/repairs/{world.ticket}")
    again = as_("requester").get(f"/repairs/{world.ticket}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert int(first.headers["Retry-After"]) > 0
    as_("assignee").post(f"/repairs/{world.ticket}/take", json={})
    changed = as_("requester").get(f"/repairs/{world.ticket}", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert changed.json["etag"] != first.json["etag"]


def test_a_deed_in_the_wrong_state_is_a_conflict_and_changes_nothing(as_, world):
    before = as_("requester").get(f"/repairs/{world.ticket}").json
    answer = as_("requester").post(f"/repairs/{world.ticket}/accept", json={})
    assert (answer.status_code, answer.json["code"]) == (409, "wrong_state")
    assert as_("requester").get(f"/repairs/{world.ticket}").json == before


def test_lists_go_on_where_they_ended(as_, world):
    for number in range(4):
        as_("requester").post("/repairs", json=REPAIR, headers=key(f"page-{number}"))
    seen, cursor = [], None
    for _ in range(5):
        page = (
            as_("requester").get("/repairs", query_string={"limit": 2, **({"cursor": cursor} if cursor else {})}).json
        )
        seen += [line["no"] for line in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert len(seen) == len(set(seen)) == 5
    assert world.ticket == seen[-1]


def test_a_cursor_of_ones_own_making_is_refused(as_, world):
    for cursor in ("WzFd", "eyJhIjoxfQ.AAAA", "1"):
        answer = as_("requester").get("/repairs", query_string={"cursor": cursor})
        assert (answer.status_code, list(answer.json["fields"])) == (422, ["cursor"])


def test_a_worker_sees_what_he_was_given(as_, world):
    assert [one["no"] for one in as_("assignee").get("/repairs?mine=assigned&state=open").json["items"]] == [
        world.ticket
    ]
    assert as_("worker").get("/repairs?mine=assigned").json["items"] == []


def test_what_is_open_already_is_suggested_without_words_or_names(as_, world):
    [line] = as_("other").get("/repairs/suggest?place=D12-402&fault=aircon").json["items"]
    assert (line["no"], line["text"], line["worker_name"]) == (world.ticket, "", None)


def test_an_emergency_shows_its_number_before_it_is_filed(as_, world):
    leaf = next(one for one in as_("requester").get("/fault-types").json if one["code"] == "gas")
    assert leaf["emergency"] == {"phone": "110", "text": "请离开"}
    asked = REPAIR | {"fault": "gas", "confirmed_emergency": False}
    answer = as_("requester").post("/repairs", json=asked, headers=key("gas"))
    assert (answer.status_code, answer.json["code"]) == (409, "emergency")
    assert "110" in answer.json["detail"]


def test_a_door_shows_the_place_what_is_open_and_what_is_common(as_, world):
    door = as_("unbound").get(f"/doors/{world.door}").json
    assert door["place"] == {"code": "D12-402", "label": "东校区 12 号楼 402"}
    assert [line["no"] for line in door["open_tickets"]] == [world.ticket]
    assert {one["code"] for one in door["common_faults"]} == {"aircon", "gas"}
    assert as_("unbound").get("/doors/DAAAAAAAAAA").status_code == 404


def test_places_are_walked_and_searched(as_, world):
    [building] = as_("other").get("/places").json["items"]
    assert (building["code"], building["has_children"], building["parent"]) == ("D12", True, None)
    [room] = as_("other").get("/places?parent=D12").json["items"]
    assert (room["code"], room["parent"], room["has_children"]) == ("D12-402", "D12", False)
    assert as_("other").get("/places/D12-402").json == room
    assert [one["code"] for one in as_("other").get("/places?q=402").json["items"]] == ["D12-402"]
    assert as_("other").get("/places/NOWHERE").status_code == 404


def test_the_public_page_counts_and_names_nobody(as_, world):
    answer = as_("nobody").get("/public/status")
    assert answer.json["open_tickets"] == 1
    assert set(answer.json) == {"open_tickets", "closed_today", "updated_at"}
