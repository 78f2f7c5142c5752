"""Names and phone numbers of people who do not exist, drawn from a seeded generator."""

from collections.abc import Iterator
from random import Random

SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范"
    "方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
# The first dozen surnames are more than half of the country.
WEIGHTS = [40] * 10 + [15] * 20 + [4] * (len(SURNAMES) - 30)
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉兰红建国志文斌梅鑫波辉婷浩宇欣怡梓涵子轩雨泽诗琪佳慧思远晨曦一诺嘉豪"
    "俊雪莹倩琳瑶博睿昊天翔宁悦可心语桐若溪梦洁楠凯旋家乐成林海燕春晓东升立新永康安琪"
)
TAKEN = frozenset({"林小雨", "陈思远", "王建国", "李秀兰", "赵敏", "周卫东"})


def name(dice: Random) -> str:
    """A name of two or three characters, never that of somebody the stories are about."""
    while True:
        surname = dice.choices(SURNAMES, WEIGHTS)[0]
        called = surname + "".join(dice.choices(GIVEN, k=1 if dice.random() < 0.18 else 2))
        if called not in TAKEN:
            return called


def phones(dice: Random) -> Iterator[str]:
    """Mobile numbers, no two alike, none of those that the sandbox's people have (1380001… to 1380003…)."""
    given: set[str] = set()
    while True:
        number = f"1{dice.choice('356789')}{dice.randrange(10)}{dice.randrange(10**8):08d}"
        if number not in given and not number.startswith("13800"):
            given.add(number)
            yield number
