"""Every page for every role: who may sees it, who may not is told which permission is missing. FEATURES P6."""

import pytest

from models.access import ROLES
from tests.kit import make_fault, make_person, make_place

AT_THE_CONSOLE = [name for name, (_, deeds) in ROLES.items() if deeds & {"console.sign_in", "*"}]
PAGES = {  # page: the deeds of which one opens it
    "/": ("console.sign_in",),
    "/account": ("console.sign_in",),
    "/find?q=D12": ("console.sign_in",),
    "/tickets": ("repair.see",),
    "/tickets?state=all&q=x&place=D12-402&since=2026-01-01&until=2026-12-31&way=scan&worker=1&fault=aircon": (
        "repair.see",
    ),
    "/people": ("person.see",),
    "/people?q=李&kind=staff&status=active&role=worker": ("person.see",),
    "/departments": ("person.see",),
    "/places": ("place.see",),
    "/places?at=D12-402": ("place.see",),
    "/imports/people": ("person.import",),
    "/imports/departments/template.xlsx": ("person.import",),
    "/imports/places/export.xlsx": ("place.import",),
    "/imports/residents/export.csv": ("person.import",),
    "/tickets/new": ("repair.file_for",),
    "/faults": ("fault.see",),
    "/faults?retired=1": ("fault.see",),
    "/faults/new": ("fault.edit",),
    "/faults/aircon": ("fault.see",),
    "/notices": ("notice.see",),
    "/notices?channel=mini&state=unknown&about=WX1&campus_no=1": ("notice.see",),
    "/notices/templates": ("notice.see",),
    "/notices/templates/mini/repair_filed": ("notice.see",),
    "/cases": ("case.see",),
    "/cases?all=1&kind=debt_stuck": ("case.see",),
    "/settings": ("setting.see",),
    "/settings/roles": ("role.see",),
    "/settings/calendar": ("calendar.see",),
    "/settings/calendar?year=2026": ("calendar.see",),
    "/settings/operators": ("operator.edit",),
    "/prove": ("console.sign_in",),
    "/audit": ("audit.see",),
    "/audit?deed=role&since=2026-01-01&until=2026-12-31&about=x&campus_no=y": ("audit.see",),
}


@pytest.fixture
def campus(db):
    make_place("D12-402")
    make_fault()
    make_person("李秀兰", roles=("worker",), kind="worker")


@pytest.mark.usefixtures("campus")
@pytest.mark.parametrize("role", AT_THE_CONSOLE)
def test_a_page_opens_for_who_may_and_names_what_others_lack(desk, role):
    sitting = desk(role)
    deeds = ROLES[role][1]
    for page, needed in PAGES.items():
        answer = sitting.get(page)
        text = answer.get_data().decode(errors="replace")
        if "*" in deeds or deeds & set(needed):
            assert answer.status_code == 200, (page, text)
        else:
            assert answer.status_code == 403, page
            assert needed[0] in text, page
        assert "<script>" not in text
        assert " style=" not in text


@pytest.mark.usefixtures("campus")
@pytest.mark.parametrize("role", AT_THE_CONSOLE)
def test_the_menu_shows_only_what_opens(desk, role):
    sitting = desk(role)
    page = sitting.get("/").get_data(as_text=True)
    side = page.split("<nav aria-label", 1)[1].split("</nav>", 1)[0]
    links = [part.split('"', 1)[0] for part in side.split('href="')[1:]]
    assert links
    for link in links:
        assert sitting.client.get(link).status_code == 200, link


@pytest.mark.parametrize("page", sorted(PAGES))
def test_no_page_opens_without_a_session(desk, page):
    answer = desk().get(page)
    assert answer.status_code == 303
    assert "/console/sign-in" in answer.location
