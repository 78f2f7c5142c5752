"""The menu: which pages there are, by which deed they open and by which key one gets there."""

from dataclasses import dataclass

from flask import current_app, g, request, url_for

from console.frame import may


@dataclass(frozen=True, slots=True)
class Entry:
    endpoint: str
    title: str
    icon: str
    deeds: tuple[str, ...]
    key: str  # after g

    @property
    def url(self) -> str:
        return url_for(f"console.{self.endpoint}")

    @property
    def active(self) -> bool:
        area = url_for(f"console.{self.endpoint}").rstrip("/")
        return request.path.rstrip("/") == area if self.endpoint == "get_overview" else request.path.startswith(area)


MENU = [
    Entry("get_overview", "总览", "layout-dashboard", ("console.sign_in",), "o"),
    Entry("get_tickets", "工单", "tool", ("repair.see",), "t"),
    Entry("get_people", "人员", "users", ("person.see",), "p"),
    Entry("get_places", "地点", "building", ("place.see",), "l"),
    Entry("get_faults", "故障类型", "list-tree", ("fault.see", "fault.edit"), "f"),
    Entry("get_notices", "通知", "send", ("notice.see",), "m"),
    Entry("get_cases", "待处理", "alert-triangle", ("case.see",), "c"),
    Entry("get_audit", "稽核", "shield-check", ("audit.see",), "a"),
    Entry("get_settings", "设置", "settings", ("setting.see", "role.see", "calendar.see", "operator.edit"), "s"),
]


def shown_menu() -> list[Entry]:
    """The entries this person may open."""
    known = current_app.view_functions
    return [entry for entry in MENU if may(*entry.deeds) and f"console.{entry.endpoint}" in known and g.get("me")]
