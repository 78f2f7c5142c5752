"""Photos: checked, kept, used once, removed (DESIGN 3, DRILLS K13 and K15)."""

import io
import struct
import zlib
from datetime import timedelta

import pytest
import sqlalchemy as sa
from PIL import Image, ImageFile

from campus import files, people
from core.config import ConfigError, Files
from core.db import reading, run
from core.errors import BindingNeeded, NotFound, NotNow
from core.files import Bucket, FileStore
from models.files import StoredFile
from tests.kit import NOON, actor, make_person

DAY = timedelta(hours=24)


def picture(kind="JPEG", size=(640, 480), mode="RGB", **more):
    out = io.BytesIO()
    Image.new(mode, size, "red").save(out, kind, **more)
    return out.getvalue()


def opened(checked):
    return Image.open(io.BytesIO(checked.data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_three_formats_become_one(kind):
    checked = files.check_photo(picture(kind))
    assert (checked.mime, checked.width, checked.height) == ("image/jpeg", 640, 480)
    assert opened(checked).format == "JPEG"


def test_place_time_and_camera_are_gone_and_the_picture_stands_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    exif[0x010F] = "Secret Camera"
    exif.get_ifd(0x8825)[2] = (31.0, 17.0, 56.0)
    checked = files.check_photo(picture(size=(600, 300), exif=exif))
    assert (checked.width, checked.height) == (300, 600)
    assert b"Secret Camera" not in checked.data
    assert not opened(checked).getexif()


def test_a_large_photo_is_made_smaller():
    checked = files.check_photo(picture(size=(6000, 3000)))
    assert (checked.width, checked.height) == (2048, 1024)


def test_what_is_transparent_becomes_white():
    checked = files.check_photo(picture("PNG", mode="RGBA", size=(10, 10)))
    assert checked.mime == "image/jpeg"


def flood(width, height):
    """A PNG of a few bytes that says it is that large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + b"\0" * 50,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x89PNG\r\n\x1a\n",
        picture()[:200],
        picture("PNG")[:80],
        b"\xff\xd8\xff" + b"\0" * 100,
        flood(100, 100),
        picture("BMP"),
        picture("TIFF"),
    ],
)
def test_what_is_no_photo_is_refused(data):
    with pytest.raises(files.BadPhoto):
        files.check_photo(data)


def test_half_a_photo_is_refused_also_after_a_library_has_allowed_such(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # as importing WeasyPrint does
    with pytest.raises(files.BadPhoto):
        files.check_photo(picture("PNG")[:80])


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (65_000, 1000), (10_000, 6000), (4_100, 4_000)])
def test_a_pixel_flood_is_refused_before_it_is_unpacked(width, height):
    with pytest.raises(files.PhotoTooLarge):
        files.check_photo(flood(width, height))


def test_more_than_ten_megabytes_are_refused():
    with pytest.raises(files.PhotoTooLarge):
        files.check_photo(b"\xff\xd8\xff" + b"\0" * files.MAX_BYTES)


# ---- rows ----------------------------------------------------------------------------------------------------------


def keep(by, now=NOON):
    return run(lambda s: files.keep(s, files.check_photo(picture(size=(20, 20))), by=by, now=now))


def refer(by, *nos):
    return run(lambda s: files.refer(s, nos, by=by, now=NOON))


def test_a_photo_is_used_once_and_only_by_its_owner(either_db):
    lin, chen = actor(make_person("林小雨"), "h5"), actor(make_person("陈思远"), "h5")
    row = keep(lin)
    with pytest.raises(NotFound):
        refer(chen, row.no)
    assert [one.no for one in refer(lin, row.no)] == [row.no]
    with pytest.raises(files.PhotoUsed):
        refer(lin, row.no)


def test_of_several_photos_all_or_none_are_used(db):
    lin = actor(make_person("林小雨"), "h5")
    good = keep(lin)
    with pytest.raises(NotFound):
        refer(lin, good.no, "FL260901AAAAAAAAAA")
    with reading() as s:
        assert files.file_by_no(s, good.no).referred_at is None


def test_the_mini_program_asks_for_consent_before_the_photo(db):
    lin = actor(make_person("林小雨"), "mini")
    with pytest.raises(people.ConsentNeeded):
        keep(lin)
    with reading() as s:
        assert s.scalar(sa.select(sa.func.count()).select_from(StoredFile)) == 0
    run(lambda s: people.give_consent(s, kind="privacy", version=people.PRIVACY.version, by=lin, now=NOON))
    assert keep(lin).owner_id == lin.person_id


def test_nobody_keeps_photos_without_being_known(db):
    with pytest.raises(BindingNeeded):
        keep(actor(None, "h5"))


def test_what_nothing_refers_to_is_removed_after_a_day_and_a_crash_in_between_loses_nothing(either_db):
    lin = actor(make_person("林小雨"), "h5")
    used, unused, young = keep(lin), keep(lin), keep(lin, NOON + timedelta(hours=1))
    refer(lin, used.no)
    later = NOON + DAY + timedelta(minutes=1)

    def sweep():
        return run(lambda s: files.sweep(s, now=later))

    assert sweep() == [unused.no]
    with pytest.raises(files.PhotoUsed):
        refer(lin, unused.no)
    assert sweep() == [unused.no]  # the process died before it deleted the bytes
    assert run(lambda s: files.swept(s, [unused.no, used.no])) == 1
    assert sweep() == []
    with reading() as s:
        assert sorted(s.scalars(sa.select(StoredFile.no))) == sorted([used.no, young.no])


# ---- bytes ---------------------------------------------------------------------------------------------------------

KEY = "FL260901K7Q2M9X4CD"


@pytest.fixture
def store(tmp_path):
    return FileStore.open(Files(url=f"file:{tmp_path}/files"))


def test_what_is_put_is_got_until_it_is_deleted(store):
    store.put(KEY, b"photo")
    store.put(KEY, b"photo 2")
    assert store.get(KEY) == b"photo 2"
    for _ in range(2):
        store.delete(KEY)
    with pytest.raises(NotFound):
        store.get(KEY)
    assert store.up()


@pytest.mark.parametrize("key", ["../../etc/passwd", "FL260901/../x", "", "fl260901K7Q2M9X4CD", KEY + "/x", KEY + "\n"])
def test_nothing_but_a_public_number_is_a_key(store, tmp_path, key):
    for deed in (lambda: store.put(key, b"x"), lambda: store.get(key), lambda: store.delete(key)):
        with pytest.raises(NotFound):
            deed()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_without_room_nothing_half_written_stays(store, tmp_path, monkeypatch):
    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.files.os.fsync", full)
    with pytest.raises(NotNow):
        store.put(KEY, b"photo")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    with pytest.raises(NotFound):
        store.get(KEY)
    monkeypatch.undo()
    store.put(KEY, b"photo")
    assert store.get(KEY) == b"photo"


@pytest.mark.parametrize("url", ["", "var/files", "s3:", "s3://", "ftp://x/y", "file:"])
def test_an_address_of_another_kind_is_refused_at_start(url):
    with pytest.raises(ConfigError):
        FileStore.open(Files(url=url))


def test_a_bucket_speaks_s3(httpserver):
    bucket = FileStore.open(
        Files(url="s3://houqin/photos", access_key="AK", secret_key="SK", endpoint=httpserver.url_for("").rstrip("/"))
    )
    assert isinstance(bucket, Bucket)
    where = f"/houqin/photos/{KEY}"
    httpserver.expect_ordered_request(where, method="PUT").respond_with_data("")
    httpserver.expect_ordered_request(where, method="GET").respond_with_data(b"photo")
    missing = '<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>'
    httpserver.expect_ordered_request(where, method="GET").respond_with_data(missing, status=404)
    denied = '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'
    httpserver.expect_ordered_request(where, method="PUT").respond_with_data(denied, status=403)
    bucket.put(KEY, b"photo")
    assert bucket.get(KEY) == b"photo"
    with pytest.raises(NotFound):
        bucket.get(KEY)
    with pytest.raises(NotNow):
        bucket.put(KEY, b"photo")
