"""The inbox and the subscriptions over HTTP. FEATURES N1, N3."""

import pytest

from campus import notices
from core import clock
from core.db import run
from models.notices import Channel, Notice, TemplateMap


@pytest.fixture
def told(world):
    """Three notices to Lin, one to Chen."""

    def tell(s):
        for number, person in enumerate([world.requester, world.requester, world.other, world.requester]):
            facts = {"title": f"消息 {number}", "text": "正文", "page": "/pages/repair/detail?no=WX1", "facts": {}}
            s.add(Notice(person_id=person.id, kind="test", about=f"t{number}", made_at=clock.now(), **facts))

    run(tell)


def unread(asking):
    return asking.get("/inbox/unread").json["unread"]


def test_notices_are_read_one_by_one_and_all_at_once(as_, told):
    lin = as_("requester")
    before = unread(lin)
    mine = [one for one in lin.get("/inbox").json["items"] if one["kind"] == "test"]
    assert [one["title"] for one in mine] == ["消息 3", "消息 1", "消息 0"]
    assert mine[0]["page"] == "/pages/repair/detail?no=WX1"
    for _ in range(2):
        assert lin.post(f"/inbox/{mine[0]['id']}/read", json={}).status_code == 204
    assert unread(lin) == before - 1
    assert lin.post("/inbox/read-all", json={}).status_code == 204
    assert (unread(lin), unread(as_("other"))) == (0, 1)


def test_the_inbox_goes_on_where_it_ended(as_, told):
    seen, query = [], {"limit": 2}
    while True:
        page = as_("requester").get("/inbox", query_string=query).json
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) >= 3


def test_the_number_of_unread_is_304_until_it_changes(as_, told):
    lin = as_("requester")
    etag = lin.get("/inbox/unread").headers["ETag"]
    assert lin.get("/inbox/unread", headers={"If-None-Match": etag}).status_code == 304
    lin.post("/inbox/read-all", json={})
    assert lin.get("/inbox/unread", headers={"If-None-Match": etag}).status_code == 200


def test_a_tap_grants_one_send_and_is_not_asked_for_again(as_, world):
    kind = next(kind.name for kind in notices.KINDS.values() if "repair.file" in kind.asked_with)
    run(
        lambda s: s.add(
            TemplateMap(channel=Channel.MINI, kind=kind, template_id="tmpl-1", fields={}, changed_at=clock.now())
        )
    )
    lin = as_("requester")
    assert lin.get("/subscriptions?for=repair_file").json == {"ask": ["tmpl-1"]}
    assert lin.post("/subscriptions", json={"answers": {"tmpl-1": "accept"}}).json == {"quota": {"tmpl-1": 1}}
    assert lin.get("/subscriptions?for=repair_file").json == {"ask": []}
    assert lin.post("/subscriptions", json={"answers": {"not-ours": "accept"}}).status_code == 422
    assert lin.post("/subscriptions", json={"answers": {"tmpl-1": "perhaps"}}).status_code == 422
