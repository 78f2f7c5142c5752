"""A few letters find the place and the fault. FEATURES R1: the desk files in under ten seconds."""

import pytest

from console.suggest import initials
from tests.kit import make_fault, make_person, make_place


@pytest.fixture
def campus(db):
    north = make_place("N", kind="campus", name="梅园校区", label="梅园校区")
    for number in (3, 12):
        building = make_place(
            f"D{number}", under=north, kind="building", name=f"桃园{number}号楼", label=f"梅园校区 桃园{number}号楼"
        )
        for room in (402, 403, 1402):
            make_place(f"D{number}-{room}", under=building, name=str(room), label=f"梅园校区 桃园{number}号楼 {room}")
    make_fault("aircon", "空调不制冷")
    make_fault("tap", "水龙头漏水")


@pytest.mark.usefixtures("campus")
@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("D12-402", "D12-402"),
        ("d12-402", "D12-402"),
        ("桃园12号楼 402", "D12-402"),
        ("ty12 402", "D12-402"),
        ("ty12-402", "D12-402"),
        ("ty3 402", "D3-402"),
        ("ty12", "D12"),
        ("myxq", "N"),
        ("ty12 9", None),
        ("zzz", None),
        ("", None),
    ],
)
def test_a_place_is_found_by_code_words_or_initials(desk, typed, first):
    found = desk("dispatcher").get("/places/suggest", query_string={"q": typed}).json
    assert (found[0]["value"] if found else None) == first


@pytest.mark.usefixtures("campus")
@pytest.mark.parametrize(
    ("typed", "codes"), [("kt", ["aircon"]), ("水", ["tap"]), ("tap", ["tap"]), ("%", []), ("", ["aircon", "tap"])]
)
def test_a_fault_is_found_by_name_or_initials(desk, typed, codes):
    found = desk("dispatcher").get("/faults/suggest", query_string={"q": typed}).json
    assert [one["value"] for one in found] == codes


@pytest.mark.usefixtures("campus")
def test_a_caller_is_found_by_a_grant_that_reaches_her(desk):
    make_person("林小雨", campus_no="2023010101")
    assert desk("dispatcher").get("/tickets/callers?q=小雨").json[0]["value"] == "2023010101"
    assert desk("finance").get("/tickets/callers?q=小雨").status_code == 403


def test_initials():
    assert initials("桃园3号楼") == "ty3hl"
    assert initials("A座 东") == "azd"
