"""Photos people give us: checked before they are kept, kept before anything refers to them. DESIGN §3, FEATURES R2.

`check_photo` knows no database: it opens the bytes as one of three formats, refuses bombs and pixel floods before
decoding (DRILLS K15, "files 5.1–5.4"), turns the picture upright and writes it anew, so that place, time and camera
are gone (P11). `keep` gives it a number; the door then puts the bytes into the store under it. What nothing refers
to is removed after 24 hours.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from sqlalchemy.orm import Session

from campus.privacy import require_consent
from core import ids
from core.errors import Conflict, Invalid, NotFound
from models.access import Actor, require
from models.files import StoredFile
from models.settings import Setting, setting

MAX_BYTES = 10 * 1024 * 1024
# JPEG is decoded at a fraction of its size; the others only whole, at four bytes a pixel.
MAX_PIXELS = {"JPEG": 50_000_000}
MAX_PIXELS_WHOLE = 16_000_000
MAX_SIDE = 2048
QUALITY = 85
FORMATS = ("JPEG", "PNG", "WEBP")
KEPT_UNREFERRED = Setting("files.kept_unreferred", timedelta(hours=24), source="DESIGN 3", title="未使用照片保留时长")


class BadPhoto(Invalid):
    code, text = "bad_photo", "这张图片打不开，请换一张 JPG、PNG 或 WebP"


class PhotoTooLarge(Invalid):
    code, text = "photo_too_large", "图片太大，请换一张小于 10 MB 的"


class PhotoUsed(Conflict):
    code, text = "photo_used", "照片已失效，请重新上传"


@dataclass(frozen=True, slots=True)
class Checked:
    """A photo that may be kept: written anew as JPEG, upright, without EXIF."""

    mime: str
    width: int
    height: int
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def check_photo(data: bytes) -> Checked:
    """The photo as it will be kept. Raises BadPhoto, PhotoTooLarge."""
    if len(data) > MAX_BYTES:
        raise PhotoTooLarge(size=len(data))
    # WeasyPrint switches this on for the whole process when it is imported; half a photo is no photo.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            # The header says how many pixels there are; nothing has been decoded yet.
            most = MAX_PIXELS.get(picture.format or "", MAX_PIXELS_WHOLE)
            if picture.width * picture.height > most or min(picture.size) < 1:
                raise PhotoTooLarge(width=picture.width, height=picture.height)
            picture.draft("RGB", (MAX_SIDE, MAX_SIDE))  # JPEG only: decodes at a fraction of the size
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((MAX_SIDE, MAX_SIDE))
            plain = _on_white(upright)
    except (PhotoTooLarge, BadPhoto):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PhotoTooLarge from None
    # Pillow's decoders raise all of these on broken or hostile bytes; none of them says more than "cannot be read".
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, MemoryError):
        raise BadPhoto from None
    out = io.BytesIO()
    plain.save(out, "JPEG", quality=QUALITY)
    return Checked("image/jpeg", plain.width, plain.height, out.getvalue())


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return picture.convert("RGB")


def may_keep(s: Session, *, by: Actor) -> None:
    """Nothing happens when the person may give us photos. A door asks before it does the work. P11."""
    require(s, by, "repair.file")
    require_consent(s, by)


def keep(s: Session, checked: Checked, *, by: Actor, now: datetime) -> StoredFile:
    """The photo has a number; the door puts the bytes under it next. Raises ConsentNeeded (P11), BindingNeeded."""
    may_keep(s, by=by)
    row = StoredFile(
        no=ids.new("FL", now), mime=checked.mime, sha256=checked.sha256, size=len(checked.data), width=checked.width,
        height=checked.height, owner_id=by.person_id, stored_at=now,
    )  # fmt: skip
    s.add(row)
    s.flush()
    return row


def file_by_no(s: Session, no: str) -> StoredFile:
    """The file with that number, unless it was removed. Raises NotFound."""
    row = s.scalars(sa.select(StoredFile).where(StoredFile.no == no, StoredFile.removed_at.is_(None))).one_or_none()
    if row is None:
        raise NotFound("没有这张照片", file=no)
    return row


def refer(s: Session, nos: Sequence[str], *, by: Actor, now: datetime) -> list[StoredFile]:
    """These photos, the person's own and not used before, are now used and will stay. Raises PhotoUsed, NotFound."""
    rows = {
        row.no: row
        for row in s.scalars(
            sa.select(StoredFile).where(StoredFile.no.in_(list(nos))).order_by(StoredFile.id).with_for_update()
        )
    }
    for no in nos:
        row = rows.get(no)
        if row is None or row.owner_id != by.person_id:
            raise NotFound("没有这张照片", file=no)
        if row.removed_at is not None or row.referred_at is not None:
            raise PhotoUsed(file=no)
        row.referred_at = now
    s.flush()
    return [rows[no] for no in dict.fromkeys(nos)]


def sweep(s: Session, *, now: datetime, limit: int = 500) -> list[str]:
    """The numbers whose bytes are to be deleted now; from here on nothing can refer to them. `swept` ends it.

    Asked again before `swept`, it names them again: a crash in between loses nothing.
    """
    old = now - setting(s, KEPT_UNREFERRED)
    unused = sa.select(StoredFile).where(StoredFile.referred_at.is_(None), StoredFile.stored_at < old)
    rows = s.scalars(unused.order_by(StoredFile.id).limit(limit).with_for_update(skip_locked=True)).all()
    for row in rows:
        row.removed_at = row.removed_at or now
    s.flush()
    return [row.no for row in rows]


def swept(s: Session, nos: Sequence[str]) -> int:
    """The rows of files whose bytes are deleted are gone too; how many."""
    gone = sa.delete(StoredFile).where(StoredFile.no.in_(list(nos)), StoredFile.removed_at.is_not(None))
    return s.connection().execute(gone).rowcount
