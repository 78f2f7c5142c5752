"""Photos: checked and stored before anything refers to them, shown to those who may see them. DESIGN §3, ASVS 5, P11, K15."""

import io
import shutil
from typing import Literal

from apiflask.schemas import FileSchema
from flask import Response, request
from PIL import Image
from pydantic import Field

from campus import files
from campus.repairs import content
from campus.repairs import reading as tickets
from core import clock
from core.db import reading, run
from core.house import house
from miniprogram_api.frame import api, current_actor, gives, signed_in, takes
from miniprogram_api.kinds import Out, Query
from miniprogram_api.limits import limited
from models.files import StoredFile

THUMB_SIDE = 320


class PhotoOut(Out):
    no: str
    width: int
    height: int
    url: str


class SizeQuery(Query):
    size: Literal["full", "thumb"] = Field("full", description="thumb: at most 320 pixels a side")


class KeyQuery(Query):
    until: int = Field(ge=0, le=2**53)
    key: str = Field(pattern=r"^[0-9a-f]{32}$")


@api.post("/photos")
@signed_in
@limited("photos")
@takes("image/jpeg", "image/png", "image/webp")
@api.output(
    PhotoOut, status_code=201, links={"photo": {"operationId": "get_photo", "parameters": {"no": "$response.body#/no"}}}
)
def post_photo() -> tuple[PhotoOut, int, dict[str, str]]:
    """The photo (the raw bytes, at most 10 MB) is checked, written anew without EXIF, and kept under its number.

    It is kept for a day; what a repair refers to stays.
    """
    request.max_content_length = files.MAX_BYTES
    by, now = current_actor(), clock.now()
    with reading() as s:
        files.may_keep(s, by=by)  # asked before the work is done
    checked = files.check_photo(_whole_body())
    row = run(lambda s: files.keep(s, checked, by=by, now=now))
    house().files.put(row.no, checked.data)
    url = address_of(row.no)
    return PhotoOut(no=row.no, width=row.width, height=row.height, url=url), 201, {"Location": url}


@api.get("/photos/<no>")
@signed_in
@gives("image/jpeg")
@api.input(SizeQuery, location="query")
@api.output(FileSchema(type="string", format="binary"), content_type="image/jpeg")
def get_photo(no: str, query_data: SizeQuery) -> Response:
    """The photo, for its owner and for those who may see the repair it belongs to. It never changes under its number."""
    by = current_actor()
    with reading() as s:
        row = tickets.photo(s, file_no=no, by=by)
    return shown(row, query_data.size)


@api.get("/public/photos/<no>")
@limited("public")
@gives("image/jpeg")
@api.input(KeyQuery, location="query")
@api.output(FileSchema(type="string", format="binary"), content_type="image/jpeg")
def get_photo_by_key(no: str, query_data: KeyQuery) -> Response:
    """The photo, for the platform that checks its content: by a signed address that is good for two hours (P11)."""
    now = clock.now()
    with reading() as s:
        row = content.photo_by_key(s, file_no=no, until=query_data.until, key=query_data.key, now=now)
    answer = shown(row, "full")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def shown(row: StoredFile, size: str) -> Response:
    """The photo as an answer that is nothing but a photo. It never changes under its number."""
    etag = f"{row.sha256[:32]}-{size}"
    if request.if_none_match.contains(etag):
        answer = Response(status=304)
    else:
        data = house().files.get(row.no)
        answer = Response(thumbnail(data) if size == "thumb" else data, mimetype=row.mime)
    answer.set_etag(etag)
    answer.headers["Cache-Control"] = "private, max-age=86400, immutable"
    answer.headers["Content-Disposition"] = f'inline; filename="{row.no}.jpg"'
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer


def address_of(no: str) -> str:
    """Where the photo is shown to those who may see it."""
    return f"/api/v1/photos/{no}"


def _whole_body() -> bytes:
    """The bytes that were sent, held once; `get_data` would hold them three times (K15)."""
    held = io.BytesIO()
    stream = request.stream  # refuses what is announced as too large, and ends what turns out to be
    if request.content_length:
        held.seek(request.content_length - 1)
        held.write(b"\0")  # room for all of it at once: a buffer that grows is copied
        held.seek(0)
    shutil.copyfileobj(stream, held, 64 * 1024)
    return held.getvalue()


def thumbnail(data: bytes) -> bytes:
    """The photo at most 320 pixels a side. What is kept was written by ourselves, so it decodes."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
        picture.draft("RGB", (THUMB_SIDE * 2, THUMB_SIDE * 2))
        picture.thumbnail((THUMB_SIDE, THUMB_SIDE))
        picture.save(out, "JPEG", quality=80)
    return out.getvalue()
