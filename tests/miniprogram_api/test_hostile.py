"""What hostile and broken clients send. DRILLS K15, K17: refused early, stored byte-exact, never a 5xx."""

import gzip
import json
import time

import pytest

REPAIR = {"place": "D12-402", "fault": "aircon", "text": "空调不制冷", "photos": []}
TEXTS = {
    "sql": "'; DROP TABLE ticket; -- \" OR 1=1 /* */ ) UNION SELECT 1",
    "xss": "<script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}${7*7}",
    "formula": "=cmd|' /C calc'!A0",
    "path": "../../../../etc/passwd C:\\windows\\win.ini %2e%2e%2f file:///etc/passwd",
    "log": '第一行\n{"event":"forged","level":"error"}\n第三行',
    "emoji": "🚿🚽👨‍👩‍👧‍👦🇨🇳 𠮷野家 ☃",
    "rtl": "\u202eمرحبا\u202c שלום \u200f\u200e",
    "wide": "Zalgo Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢ ﷽ ｆｕｌｌ",
    "percent": "%s %n %d {0} {request} \\n \\u0000",
}


def file(asking, name, **facts):
    return asking.post("/repairs", json=REPAIR | facts, headers={"Idempotency-Key": f"hostile-{name}"})


@pytest.mark.parametrize("name", TEXTS)
def test_words_are_kept_byte_for_byte(as_, world, name):
    entry = {"nobody_home_ok": True, "escort": False, "note": TEXTS[name].replace("\n", " ")[:190]}
    filed = file(as_("requester"), name, text=TEXTS[name], entry=entry, contact_name=name)
    assert filed.status_code == 201, filed.text
    read = as_("requester").get(f"/repairs/{filed.json['no']}").json
    assert (read["text"], read["entry"]["note"]) == (TEXTS[name], entry["note"])
    assert as_("requester").get("/repairs").json["items"][0]["text"] == TEXTS[name]


@pytest.mark.parametrize(
    "text",
    ["a\x00b", "a\x1b[31mb", "a\x85b", "\x7f", "长" * 2001, None, 7, ["a"], {"a": 1}, True],
    ids=["NUL", "escape", "C1", "DEL", "overlong", "null", "number", "list", "object", "bool"],
)
def test_what_cannot_be_kept_is_refused_by_its_name(as_, world, text):
    answer = file(as_("requester"), "refused", text=text)
    assert (answer.status_code, list(answer.json["fields"])) == (422, ["text"])


@pytest.mark.parametrize("field", ["place", "fault", "door", "contact_name", "contact_phone"])
@pytest.mark.parametrize(
    "value", ["\x00", "a\nb", "x" * 500, "../..", "\ud800"], ids=["NUL", "line", "long", "path", "half"]
)
def test_short_fields_take_no_nonsense(as_, world, field, value):
    body = json.dumps(REPAIR | {field: value})
    headers = {"Idempotency-Key": "nonsense-1", "Content-Type": "application/json"}
    answer = as_("requester").post("/repairs", data=body, headers=headers)
    assert answer.status_code in ((201, 422) if (field, value) == ("contact_name", "../..") else (422,))


def raw(asking, body, **headers):
    return asking.post(
        "/repairs", data=body, headers={"Content-Type": "application/json", "Idempotency-Key": "raw-body-1", **headers}
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"{", 400, id="cut off"),
        pytest.param(b"[" * 60_000, 400, id="deep lists"),
        pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, id="deep objects"),
        pytest.param(b'{"place":NaN}', 400, id="NaN"),
        pytest.param(b'{"quantity":1e999}', 400, id="1e999"),
        pytest.param(b'{"quantity":-Infinity}', 400, id="infinity"),
        pytest.param(b'{"place":"A","place":"B"}', 400, id="a name twice"),
        pytest.param(b"\xff\xfe\x00", 400, id="not UTF-8"),
        pytest.param(b'"' + b"a" * 100_000 + b'"', 413, id="100 kB"),
        pytest.param(b"null", 422, id="null"),
        pytest.param(b"[]", 422, id="a list"),
        pytest.param(b'{"quantity":' + b"9" * 4000 + b"}", 422, id="4000 digits"),
        pytest.param(b'{"quantity":' + b"9" * 5000 + b"}", 400, id="5000 digits"),
        pytest.param(json.dumps({f"k{n}": n for n in range(3000)}).encode(), 422, id="3000 names"),
        pytest.param(b'{"__proto__":{"a":1},"constructor":1}', 422, id="prototype"),
    ],
)
def test_json_bombs_are_refused(as_, world, body, status):
    answer = raw(as_("requester"), body)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.json["request_id"]


def test_a_packed_body_is_not_unpacked(as_, world):
    answer = raw(as_("requester"), gzip.compress(json.dumps(REPAIR).encode()), **{"Content-Encoding": "gzip"})
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"]
)
def test_only_json_is_read(as_, world, kind):
    assert raw(as_("requester"), json.dumps(REPAIR), **{"Content-Type": kind}).status_code == 415


@pytest.mark.parametrize("value", ["1", True, 1.5, 0, 1000, "１"])
def test_numbers_are_numbers(as_, world, value):
    answer = file(as_("requester"), "number", quantity=value)
    assert (answer.status_code, list(answer.json["fields"])) == (422, ["quantity"])


def test_a_whole_number_may_be_written_with_a_point(as_, world):
    assert file(as_("requester"), "whole", quantity=2.0).json["quantity"] == 2


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-09-01T08:00:00",
        0,
        "morgen",
        "2026-02-30T00:00:00Z",
    ],
)
def test_impossible_times_are_refused(as_, world, moment):
    answer = file(as_("requester"), "time", window={"from": moment, "until": "2026-09-01T10:00:00+08:00"})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/repairs/' OR 1=1", "/repairs/%00", "/repairs/..%2f..%2fme", "/photos/../../me", "/photos/FL%2e%2e", "/places/%F0%9F%9A%BF",
        "/doors/D'--", "/repairs/" + "W" * 3000, "/inbox/9999999999999999999999/read", "/inbox/-1/read", "/bindings/nothing", "/nowhere",
    ],
)  # fmt: skip
def test_strange_addresses_are_not_found(as_, world, path):
    method = "post" if path.startswith("/inbox") else "delete" if path.startswith("/bindings") else "get"
    answer = getattr(as_("requester"), method)(path)
    assert answer.status_code in (404, 308)
    if answer.status_code == 404:
        assert answer.content_type == "application/problem+json"


def test_another_method_is_told_what_is_allowed(as_, world):
    answer = as_("requester").put("/repairs", json={})
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].replace(" ", "").split(","))


def test_an_answer_that_would_not_be_read_is_not_made(as_, world):
    assert as_("requester").get("/me", headers={"Accept": "text/html"}).status_code == 406
    assert as_("requester").get("/me", headers={"Accept": "application/json;q=0.9, */*;q=0.1"}).status_code == 200


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "Bearer",
        "Basic abc",
        "Bearer " + "x" * 5000,
        "Bearer a b",
        "Bearer \xff" * 5,
        "bearer 'OR'1'='1--------",
    ],
)
def test_what_is_no_token_opens_nothing(client, world, token):
    answer = client.get("/api/v1/me", headers={"Authorization": token})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


BOMBS = {
    "deep": b"[" * 60_000,
    "wide": json.dumps({f"k{n}": n for n in range(3000)}).encode(),
    "digits": b'{"quantity":' + b"9" * 60_000 + b"}",
    "escapes": b'{"text":"' + b"\\u00e9" * 10_000 + b'"}',
    "objects": b'{"a":' * 10_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_next_to_nothing(as_, world, name):
    raw(as_("requester"), b"{}")  # what is only done once is done
    began = time.process_time()
    answer = raw(as_("requester"), BOMBS[name])
    assert 400 <= answer.status_code < 500
    assert time.process_time() - began < 0.05
