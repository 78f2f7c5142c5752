"""Forms: WTForms reads and names what is wrong in Chinese; the rule still decides. ECOSYSTEM §1 row 5."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from flask_wtf import FlaskForm
from wtforms import IntegerField, SelectField
from wtforms.i18n import get_translations

from core import clock
from core.errors import Invalid


class Form(FlaskForm):
    """A form whose `filled()` holds or raises Invalid with the fields that are wrong."""

    class Meta(FlaskForm.Meta):
        def get_translations(self, form: Any) -> Any:
            return get_translations(["zh"])

    def filled(self) -> "Form":
        """This form, when everything in it can be read. Raises Invalid."""
        if not self.validate():
            raise Invalid(fields=self.errors)
        return self


class Choice(SelectField):
    """A choice of values with their titles; `empty` titles the choice of none, which is None."""

    def __init__(
        self, label: str, choices: Mapping[str, str] | None = None, *, empty: str | None = None, **kwargs: Any
    ) -> None:
        known = {str(value): title for value, title in (choices or {}).items()}
        super().__init__(label, choices={"": empty, **known} if empty is not None else known, **kwargs)

    def offer(self, pairs: Iterable[tuple[str, str]]) -> None:
        """These can be chosen too."""
        self.choices = {**self.choices, **dict(pairs)}

    @property
    def value(self) -> str | None:
        return self.data or None


class Whole(IntegerField):
    """A whole number of a length that a database takes."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        if valuelist and len(str(valuelist[0]).strip()) > 9:
            self.data = None
            raise ValueError("数字太大")
        super().process_formdata(valuelist)


def strip(text: str | None) -> str:
    return (text or "").strip()


def campus_moment(text: str | None, field: str) -> datetime | None:
    """What an `<input type=datetime-local>` sent, on the campus clock. Raises Invalid."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(fields={field: "时间格式有误"}) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=clock.CAMPUS)


def whole_number(text: str | None, field: str, *, least: int = 0, most: int = 1_000_000_000) -> int | None:
    """A whole number within limits, None when nothing was given. Raises Invalid."""
    if not (text or "").strip():
        return None
    try:
        number = int(str(text).strip())
    except ValueError:
        raise Invalid(fields={field: "请填写整数"}) from None
    if not least <= number <= most:
        raise Invalid(fields={field: f"应在 {least} 到 {most} 之间"})
    return number
