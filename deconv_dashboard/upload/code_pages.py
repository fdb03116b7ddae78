r"""Guesses the code page of file names in old zips.

Windows writes names in the code page of its country, and the zip does not say which. This module
reads all names with each code page. The score of a code page is a sum over the characters:

- the rarity of the character in file names, about minus the logarithm of its share. Frequent
  letters, syllables and ideographs are listed here. Other ideographs get their rarity from the
  standards, which place common ones in a separate level;
- the rarity of neighbours: two scripts in one word, a small letter before a capital letter;
- a cost for characters that Windows forbids in names (``\ : * ? " < > |``), for line and box
  characters, and for control characters.

The lowest score wins. ``tests/app/test_code_pages.py`` measures how often the guess is right.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

CODE_PAGES = {
    "utf-8": "UTF-8",
    "cp437": "United States (cp437)",
    "cp850": "Western Europe (cp850)",
    "cp852": "Central Europe (cp852)",
    "cp1252": "Western Europe, Windows (cp1252)",
    "cp866": "Cyrillic (cp866)",
    "cp737": "Greek (cp737)",
    "cp857": "Turkish (cp857)",
    "cp932": "Japanese (cp932)",
    "gbk": "Chinese, simplified (gbk)",
    "cp950": "Chinese, traditional (cp950)",
    "cp949": "Korean (cp949)",
}
"""Python's name of a code page -> its name for people."""

_HANDICAP = {
    **{"cp850": 0, "cp932": 0, "gbk": 0, "cp866": 0, "cp437": 1, "cp949": 1, "cp950": 1},
    **{"cp852": 2, "cp737": 2, "cp857": 2, "cp1252": 3},
}
"""Added to the score of rarer code pages."""

_MOST = 400
"""The most parts of names that the guess uses."""

# The cost of each listed character: about minus the logarithm of its share.
_LISTED = (
    (4.0, "äöüéèàçñóáíãåøæêâ"),
    (5.0, "ßôîûúõïëòùìąęłśćżńźěščřžýůışğ"),
    (6.0, "ÄÖÜÉÅØÁÍÑÓÚÀÇÈÊÂÔÎŁŚŻČŠŽŘőűďťňœŐŰİŞĞ"),
    (3.5, "абвгдежзийклмнопрстуфхцчшщыьэюя"),
    (5.0, "ёъАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЭЮЯ"),
    (6.0, "ЁїєЇЄ"),
    (3.7, "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώ"),
    (5.0, "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ"),
    (6.0, "ΆΈΉΊΌΎΏϊϋ・ー々〇（）「」、。～\u3000"),
    (7.0, "°½¿¡–—’“”·…"),
    (
        6.5,
        "이다는에의을가하고은지사기한도로어리자아서나시를대정인들부해일수스그과제원전주라만여장유보마조상구국으게면드"
        "있성소경미동비세위화용우치안연선물양새폴더그림캡처본복강진족산바행학습증명결혼졸업식음김박최윤민준현영철호재석앨"
        "범컴퓨터문파이름없목데셋불량훈련검험테트얼굴차무꽃늘눈밤낮봄름겨울코카톡메신저운허분출근표계획교실년반초중등객",
    ),
    (
        7.0,
        "的一是不了人我在有他中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而"
        "能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知样现分将外但身些与高"
        "意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东"
        "政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命"
        "张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战"
        "干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连远资队跟带花快条院"
        "变联言权往展该领传近留红治决周保达办运武半候七必城父强步完革深区即求品士转量空甚众技轻程告江语英基派满式李息写"
        "呢识极令黄德收脸钱党倒未持取设始版双历越史商千片容研像找友孩站广改议形委早房音火际则首单据导影失拿网香似斯专石"
        "若兵弟谁校读志飞观争究包组造落视济喜离虽坏兴切钟图照截屏猫狗鸟鱼副夹微测试训练集异缺陷划痕汽苹蕉婚礼毕福湖雪春"
        "节旅游聚份证",
    ),
    (
        7.0,
        "真画犬鳥見姓川府県町村夏秋冬旧古左右案議社課類予定能構族食料検良学習駅店温泉寺祭式卒会顔足耳",
    ),
    (
        7.5,
        "這個們為來時會過學對後麼無開當與還發現頭動兩長樣將實點聲話情問機給幾業間電門東氣關並軍產萬場師書員華報馬張難"
        "數車應親務統請愛讓認論義術結連遠資隊帶條變聯權領傳紅決達辦運強區轉眾輕語滿寫識極黃臉錢黨設雙歷專單據導網飛觀"
        "爭視濟離雖興鐘圖貓鳥魚蘋擷畫夾增複製灣臺禮畢典餃",
    ),
)
_LISTED_COSTS = {letter: cost for cost, letters in reversed(_LISTED) for letter in letters}
_NOT_IN_NAMES = frozenset('\\:*?"<>|')  # of Windows
_CJK = frozenset({"han", "kana", "half kana", "hangul"})
_SCRIPTS = (
    *((0x0370, 0x03FF, "greek"), (0x0400, 0x052F, "cyrillic"), (0x3041, 0x30FF, "kana")),
    *((0x3400, 0x9FFF, "han"), (0xAC00, 0xD7A3, "hangul"), (0xFF66, 0xFF9F, "half kana")),
)
_NATIVE = {
    "cp932": _CJK,
    "gbk": frozenset({"han"}),
    "cp950": frozenset({"han"}),
    "cp949": frozenset({"han", "hangul"}),
}
"""The scripts of a code page besides Latin; code pages that are not listed accept any script."""
_COMMON_LEVEL = {
    "cp932": ("shift_jis", 0x88, 0x98),
    "gbk": ("gb2312", 0xB0, 0xD7),
    "cp950": ("big5", 0xA4, 0xC6),
    "cp949": ("euc_kr", 0, 0),
}
"""The standard of a code page, and the first bytes of its common ideographs."""


def guess_code_page(names: Sequence[bytes]) -> str:
    """The most likely code page of these names.

    Args:
        names: the names in one archive, at least one of them not ASCII.

    Returns:
        A key of ``CODE_PAGES``.
    """
    parts = list(dict.fromkeys(part for name in names for part in name.split(b"/")))
    parts = [part for part in parts if not part.isascii()][:_MOST]
    return min((page for page in _HANDICAP if reads(page, names)), key=lambda p: _score(parts, p))


def reads(page: str, names: Sequence[bytes]) -> bool:
    """True if a code page can decode all these names."""
    try:
        for name in names:
            name.decode(page)
    except UnicodeDecodeError:
        return False
    return True


def _score(parts: Sequence[bytes], page: str) -> float:
    """The score of a code page for these parts of names; a lower score is more likely."""
    texts = [part.decode(page, "replace") for part in parts]
    costs = sum(_cost(letter, page) for text in texts for letter in text)
    return _HANDICAP[page] + costs + sum(_clash(*pair) for text in texts for pair in pairwise(text))


@lru_cache(20_000)
def _cost(letter: str, page: str) -> float:
    if letter.isascii():
        return 8.0 if letter in _NOT_IN_NAMES else 0.0
    script = _script(letter)
    foreign = 6.0 if page in _NATIVE and script and script not in {*_NATIVE[page], "latin"} else 0.0
    return foreign + _LISTED_COSTS.get(letter, _unlisted_cost(letter, script, page))


def _unlisted_cost(letter: str, script: str, page: str) -> float:
    if script == "han":
        return _ideograph_cost(letter, page)
    if script == "hangul":  # the 2,350 syllables in use have two bytes
        return 9.0 if len(letter.encode("euc_kr", "replace")) == 2 else 15.0
    if script:
        return {"kana": 4.8, "other": 12.0}.get(script, 8.0)
    if unicodedata.category(letter).startswith("C"):
        return 30.0
    return 8.0 if "\uff01" <= letter <= "\uff5e" else 14.0  # wide digits; lines and boxes


def _ideograph_cost(letter: str, page: str) -> float:
    standard, first, last = _COMMON_LEVEL.get(page, ("ascii", 0, 0))
    try:
        return 9.0 if first <= letter.encode(standard)[0] <= last else 12.0
    except UnicodeEncodeError:
        return 15.0


@lru_cache(20_000)
def _clash(first: str, second: str) -> float:
    """The extra cost of two neighbouring characters that rarely occur together."""
    one, two = _script(first), _script(second)
    if (first.isascii() and second.isascii()) or not one or not two:
        return 0.0
    if _CJK & {one, two}:
        return _clash_with_cjk(first, second, {one, two})
    if one != two:
        return 6.0
    if first.islower() and second.isupper():
        return 5.0
    return 2.5 if one == "latin" and not first.isascii() and not second.isascii() else 0.0


def _clash_with_cjk(first: str, second: str, scripts: set[str]) -> float:
    if len(scripts) == 1 or scripts == {"han", "kana"}:
        return 0.0
    if scripts <= _CJK:
        return 4.0 if scripts == {"han", "hangul"} else 6.0
    return 3.0 if first.islower() or second.islower() else 1.5


@lru_cache(20_000)
def _script(letter: str) -> str:
    """The script of a letter; "" if the character is not a letter."""
    if letter.isascii():
        return "latin" if letter.isalpha() else ""
    if not letter.isalpha() and letter not in "ー々":
        return ""
    for start, end, script in _SCRIPTS:
        if start <= ord(letter) <= end:
            return script
    return "latin" if unicodedata.name(letter, "").startswith("LATIN") else "other"
