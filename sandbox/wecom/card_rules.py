"""What a template card must and must not have (PROTOCOLS 3.4)."""

import re
from typing import Any

from sandbox.answers import Refusal
from sandbox.world import Row, World

TASK_ID = re.compile(r"[0-9A-Za-z_\-@]{1,128}")
TYPES = ("text_notice", "news_notice", "button_interaction", "vote_interaction", "multiple_interaction")


def _list(card: Row, key: str, least: int, most: int, errcode: int) -> list[Any]:
    value = card.get(key) or []
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise Refusal(errcode, f"template_card.{key} size is not between {least} and {most}")
    return value


def _need(condition: Any, errcode: int, words: str) -> None:
    if not condition:
        raise Refusal(errcode, f"template_card.{words}")


def check_card(w: World, card: Row, *, update: bool = False) -> None:
    """Refused with the field's name when something is missing, too many or used before."""
    kind = card.get("card_type")
    _need(kind in TYPES, 42014 + 3, "card_type invalid")
    title = (card.get("main_title") or {}).get("title")
    menu = card.get("action_menu")
    if menu:
        actions = _list(menu, "action_list", 1, 3, 42020)
        _need(all(a.get("text") and a.get("key") for a in actions), 42021, "action_menu.action_list needs text and key")
    task_id = card.get("task_id", "")
    if menu or kind in ("button_interaction", "vote_interaction", "multiple_interaction"):
        _need(task_id, 42014, "task_id missing")
    if task_id:
        _need(isinstance(task_id, str) and TASK_ID.fullmatch(task_id), 42014, "task_id invalid")
        if not update:
            _need(w.store.count(f"task:{task_id}", "") == 1, 42014, "task_id used before")
    for line in _list(card, "horizontal_content_list", 0, 6, 42030):
        _need(line.get("keyname"), 42031, "horizontal_content_list.keyname missing")
    _list(card, "jump_list", 0, 3, 42033)
    action = card.get("card_action") or {}
    match kind:
        case "text_notice":
            _need(title or card.get("sub_title_text"), 42024, "main_title.title or sub_title_text needed")
            _need(action.get("type") in (1, 2), 42045, "card_action missing")
        case "news_notice":
            _need(card.get("card_image") or card.get("image_text_area"), 42026, "card_image or image_text_area needed")
            _need(action.get("type") in (1, 2), 42045, "card_action missing")
        case "button_interaction":
            buttons = _list(card, "button_list", 1, 6, 42038)
            keys = [b.get("key") for b in buttons if b.get("type", 0) == 0]
            _need(all(b.get("text") for b in buttons), 42038, "button_list.text missing")
            _need(
                all(isinstance(k, str) and 1 <= len(k.encode()) <= 1024 for k in keys), 42039, "button_list.key invalid"
            )
            _need(len(set(keys)) == len(keys), 42039, "button_list.key used twice")
        case "vote_interaction":
            box = card.get("checkbox") or {}
            _need(title, 42024, "main_title.title missing")
            _need(box.get("question_key"), 42040, "checkbox.question_key missing")
            _list(box, "option_list", 1, 20, 42041)
            _need((card.get("submit_button") or {}).get("key"), 42044, "submit_button.key missing")
        case "multiple_interaction":
            for one in _list(card, "select_list", 1, 3, 42042):
                _need(one.get("question_key"), 42040, "select_list.question_key missing")
                _list(one, "option_list", 1, 10, 42041)
            _need((card.get("submit_button") or {}).get("key"), 42044, "submit_button.key missing")
    if action.get("type") == 1:
        _need(str(action.get("url", "")).startswith(("http://", "https://")), 42046, "card_action.url invalid")
