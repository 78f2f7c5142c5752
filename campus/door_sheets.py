"""A4 sheets of door codes, to be printed, cut and stuck on doors. FEATURES P5.

One label per door: place, a QR and the code in letters. The QR is the official account's own (which needs no app to be
opened) where it has been made, else the plain link, which opens the same page.
"""

import html
from collections.abc import Sequence
from typing import Any

import segno

from campus.places import Door

PER_PAGE = 12
MOST = 2000

STYLE = """
@page { size: A4; margin: 12mm 10mm; @bottom-center { content: string(where) "  " counter(page) " / " counter(pages); font-size: 8pt; color: #666 } }
body { font-family: "Noto Sans CJK SC", "Noto Sans SC", sans-serif; margin: 0; color: #000 }
h1 { string-set: where content(); font-size: 0; line-height: 0; margin: 0; color: #fff }
.page { page-break-after: always }
.page:last-child { page-break-after: auto }
table { border-collapse: collapse; width: 100%; table-layout: fixed }
td { border: 0.3mm dashed #999; height: 63mm; text-align: center; vertical-align: middle; padding: 1mm }
.place { font-size: 13pt; line-height: 1.2; max-height: 2.4em; overflow: hidden; font-weight: bold; overflow-wrap: anywhere }
.long { font-size: 9pt }
.hint { font-size: 8.5pt; color: #333; margin-top: 1mm }
.code { font-family: monospace; font-size: 8pt; color: #333 }
img { width: 36mm; height: 36mm; margin: 1mm 0 }
"""


def link(door: Door, base_url: str) -> str:
    """What the QR of that door says."""
    return door.qr_url or f"{base_url.rstrip('/')}/m/#/pages/repair/file?door={door.door_code}"


def pdf(doors: Sequence[Door], *, title: str, base_url: str, school: str = "后勤通") -> bytes:
    """An A4 PDF with a label for every door, twelve to a page. Nothing is fetched from anywhere."""
    from weasyprint import HTML, URLFetcher  # 0.9 s to import, and needed seldom

    page = page_html(doors, title=title, base_url=base_url, school=school)
    fetcher = URLFetcher(allowed_protocols=["data"])
    made: bytes = HTML(string=page, url_fetcher=fetcher).write_pdf()
    return made


def page_html(doors: Sequence[Door], *, title: str, base_url: str, school: str) -> str:
    """The sheets as HTML that asks for nothing from outside; everything that was typed in is escaped."""
    pages = []
    for start in range(0, len(doors), PER_PAGE):
        some = doors[start : start + PER_PAGE]
        rows = [some[at : at + 3] for at in range(0, len(some), 3)]
        cells = ("".join(_label(door, base_url, school) for door in row) + "<td></td>" * (3 - len(row)) for row in rows)
        pages.append('<div class="page"><table>' + "".join(f"<tr>{row}</tr>" for row in cells) + "</table></div>")
    body = "".join(pages) or '<p style="font-size:12pt">这里还没有门牌码</p>'
    return (
        f'<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{html.escape(title)} 门牌码</title>'
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>{body}</body></html>"
    )


def _label(door: Door, base_url: str, school: str) -> str:
    qr: Any = segno.make(link(door, base_url), error="m", micro=False)
    long = " long" if len(door.place.label) > 26 else ""
    return (
        f'<td><div class="place{long}">{html.escape(door.place.label)}</div>'
        f'<img src="{qr.svg_data_uri(border=2)}" alt="">'
        f'<div class="code">{html.escape(door.place.code)} · {door.door_code}</div>'
        f'<div class="hint">微信扫一扫，{html.escape(school)}报修</div></td>'
    )
