"""Photos over HTTP: what is kept, what is refused, who may look. DESIGN §3, DRILLS K15, P11."""

import io
import struct
import zlib
from datetime import timedelta

import pytest
import sqlalchemy as sa
from PIL import Image

from core.db import reading
from models.files import StoredFile
from tests.miniprogram_api.conftest import open_session

REPAIR = {"place": "D12-402", "fault": "aircon", "text": "滴水", "photos": []}


def picture(kind="JPEG", size=(640, 480), **options):
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind, **options)
    return out.getvalue()


def with_gps():
    exif = Image.Exif()
    exif[0x010F] = "Canary Camera"
    exif.get_ifd(0x8825)[1] = "N"
    return picture(exif=exif)


def send(asking, data, kind="image/jpeg"):
    return asking.post("/photos", data=data, content_type=kind)


def kept():
    with reading() as s:
        return s.scalar(sa.select(sa.func.count()).select_from(StoredFile))


@pytest.mark.parametrize(("kind", "mime"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")])
def test_a_photo_is_kept_and_shown_to_its_owner(as_, world, kind, mime):
    answer = send(as_("requester"), picture(kind), mime)
    assert (answer.status_code, answer.json["width"], answer.json["height"]) == (201, 640, 480)
    shown = as_("requester").get(f"/photos/{answer.json['no']}")
    assert (shown.status_code, shown.mimetype) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(shown.data)).size == (640, 480)
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Content-Disposition"].startswith("inline; filename=")
    assert "private" in shown.headers["Cache-Control"]


def test_a_thumbnail_is_small_and_an_unchanged_photo_is_304(as_, world):
    no = send(as_("requester"), picture()).json["no"]
    thumb = as_("requester").get(f"/photos/{no}?size=thumb")
    assert max(Image.open(io.BytesIO(thumb.data)).size) == 320
    again = as_("requester").get(f"/photos/{no}?size=thumb", headers={"If-None-Match": thumb.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert as_("requester").get(f"/photos/{no}", headers={"If-None-Match": thumb.headers["ETag"]}).status_code == 200


def test_where_it_was_taken_is_not_kept(as_, world):
    assert b"Canary Camera" in with_gps()
    no = send(as_("requester"), with_gps()).json["no"]
    shown = as_("requester").get(f"/photos/{no}").data
    assert b"Canary" not in shown
    assert not dict(Image.open(io.BytesIO(shown)).getexif())


def png_of(width, height):
    """A PNG that says how large it is and holds next to nothing."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        pytest.param(b"", "image/jpeg", 422, id="nothing"),
        pytest.param(b"<svg onload=alert(1)>", "image/png", 422, id="not a picture"),
        pytest.param(picture()[:400], "image/jpeg", 422, id="cut off"),
        pytest.param(b"GIF89a" + b"\0" * 60, "image/png", 422, id="another format"),
        pytest.param(png_of(30_000, 30_000), "image/png", 422, id="900 million pixels"),
        pytest.param(png_of(2**31 - 1, 2**31 - 1), "image/png", 422, id="more pixels than there are"),
        pytest.param(picture(), "text/html", 415, id="said to be a page"),
        pytest.param(picture(), "image/svg+xml", 415, id="said to be a drawing"),
        pytest.param(picture(), "application/json", 415, id="said to be JSON"),
        pytest.param(b"\xff\xd8\xff" + b"\0" * (10 * 1024 * 1024), "image/jpeg", 413, id="over 10 MB"),
    ],
)
def test_what_is_no_photo_is_refused_and_not_kept(as_, world, data, kind, status):
    answer = send(as_("requester"), data, kind)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert kept() == 0


def test_a_page_hidden_behind_a_photo_does_not_survive(as_, world):
    no = send(as_("requester"), picture() + b"<script>alert(1)</script>").json["no"]
    assert b"<script>" not in as_("requester").get(f"/photos/{no}").data


def test_a_photo_is_seen_by_the_worker_once_it_belongs_to_his_repair(as_, world):
    no = send(as_("requester"), picture()).json["no"]
    assert as_("assignee").get(f"/photos/{no}").status_code == 404
    filed = as_("requester").post(
        "/repairs", json=REPAIR | {"photos": [no]}, headers={"Idempotency-Key": "with-photo-1"}
    )
    assert [one["no"] for one in filed.json["photos"]] == [no]
    assert filed.json["photos"][0]["url"] == f"/api/v1/photos/{no}"
    assert as_("dispatcher").get(f"/photos/{no}").status_code == 200
    assert as_("other").get(f"/photos/{no}").status_code == 404


def test_nobody_files_with_somebody_elses_photo(as_, world):
    no = send(as_("requester"), picture()).json["no"]
    answer = as_("other").post("/repairs", json=REPAIR | {"photos": [no]}, headers={"Idempotency-Key": "stolen-photo"})
    assert answer.status_code in (404, 422)
    assert as_("other").get("/repairs").json["items"] == []


def test_a_visitor_who_is_nobody_yet_gives_no_photos(as_, world):
    answer = send(as_("unbound"), picture())
    assert (answer.status_code, answer.json["code"]) == (403, "binding_needed")


def test_consent_comes_before_the_first_photo(client, world):
    token = open_session(world.requester, way="mini", subject="o-lin")
    answer = client.post(
        "/api/v1/photos", data=picture(), content_type="image/jpeg", headers={"Authorization": f"Bearer {token}"}
    )
    assert (answer.status_code, answer.json["code"]) == (403, "consent_needed")
    assert kept() == 0


def test_the_platform_that_checks_it_fetches_a_photo_by_a_signed_address(as_, world, client):
    from campus.repairs.content import signed_path
    from core import clock

    nos = [send(as_("requester"), picture()).json["no"] for _ in range(2)]
    good = signed_path(nos[0], until=clock.now() + timedelta(hours=2))
    assert client.get(good).mimetype == "image/jpeg"
    over = signed_path(nos[0], until=clock.now() - timedelta(seconds=1))
    for wrong in (over, good.replace(nos[0], nos[1]), good[:-1] + ("0" if good[-1] != "0" else "1")):
        assert client.get(wrong).status_code == 404
    for nonsense in ("until=1", "key=" + "a" * 32, "until=x&key=y", f"until={10**30}&key=" + "a" * 32):
        assert client.get(f"/api/v1/public/photos/{nos[0]}?{nonsense}").status_code == 422
