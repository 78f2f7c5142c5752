"""The phone and the desk, in the words of the people who hold them."""

from playwright.sync_api import FrameLocator, Locator, Page, expect

from tests.e2e.house import House

APPS = {"公众号": "official", "小程序": "mini", "服务通知": "service", "企业微信": "wecom", "短信": "sms"}


class Phone:
    """The sandbox's phone, alone on a page or in the left half of the beside page."""

    def __init__(self, page: Page, house: House, within: FrameLocator | None = None) -> None:
        self.page, self.house = page, house
        self.at: Page | FrameLocator = within or page

    def of(self, key: str) -> "Phone":
        """It is this person's phone now."""
        self.at.locator("#whose").select_option(key)
        return self

    def app(self, name: str) -> Locator:
        """That app is in front."""
        self.at.locator("#dock").get_by_role("button", name=name).click()
        expect(self.at.locator(f"#app-{APPS[name]}")).to_be_visible()
        return self.at.locator(f"#app-{APPS[name]}")

    @property
    def chat(self) -> Locator:
        return self.at.locator("#talk-official")

    @property
    def last(self) -> Locator:
        """The account's last words."""
        return self.chat.locator("li.them").last

    def scan(self, door: str, form: str = "公众号码") -> None:
        """The phone's own scanner looks at that door's code."""
        self.at.get_by_role("button", name="扫一扫").click()
        self.choose_door(door, form)

    def choose_door(self, door: str, form: str) -> None:
        sheet = self.at.get_by_role("dialog", name="扫一扫")
        sheet.get_by_label("门牌码").fill(door)
        sheet.locator("li").filter(has_text=door).get_by_role("button", name=form).click()

    def say(self, words: str) -> None:
        """She types that into the chat."""
        field = self.at.get_by_label("输入消息")
        if not field.is_visible():
            self.at.locator("#says-official").get_by_role("button", name="键盘").click()
        field.fill(words)
        self.at.get_by_role("button", name="发送").click()

    @property
    def mini(self) -> FrameLocator:
        """Inside the mini-program."""
        return self.at.frame_locator("#mini-frame iframe")

    @property
    def web(self) -> FrameLocator:
        """Inside the web page that a message opened."""
        return self.at.frame_locator("#web-frame iframe")


def field(page: FrameLocator, name: str) -> Locator:
    """The field that people know by this name: uni-app's H5 names the box around it."""
    return page.locator(f'[aria-label="{name}"]').locator("input, textarea")


class Desk:
    """An operator's screen: the console alone, or in the right half of the beside page."""

    def __init__(self, page: Page, house: House) -> None:
        self.page, self.house = page, house
        self.at: Page | FrameLocator = page

    def beside_a_phone(self) -> Phone:
        """What `make run` prints: a phone on the left, the console on the right."""
        self.page.goto(f"{self.house.sandbox_url}/beside?right={self.house.url}/console/")
        self.at = self.page.frame_locator("iframe[name=console]")
        return Phone(self.page, self.house, self.page.frame_locator("iframe[name=phone]"))

    def sign_in(self, campus_no: str) -> None:
        """By password and authenticator, as the file of `houqin up` says."""
        password, code = self.house.operator(campus_no)
        self.at.get_by_label("工号").fill(campus_no)
        self.at.get_by_label("密码").fill(password)
        self.at.get_by_label("动态码").fill(code)
        self.at.get_by_role("button", name="登录", exact=True).click()

    def open(self, path: str) -> None:
        self.page.goto(f"{self.house.url}/console{path}")

    def find(self, no: str) -> None:
        """The ticket is open, found by its number."""
        self.at.get_by_role("searchbox").or_(self.at.get_by_placeholder("搜工单号")).first.fill(no)
        self.page.keyboard.press("Enter")
        expect(self.at.locator("h1")).to_contain_text(no)
