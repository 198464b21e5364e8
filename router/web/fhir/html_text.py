"""The text of an HTML report: blocks and breaks become line ends, everything that is not shown is left out.

What could change a meaning without standing in the text (images, forms, struck-out words) is refused.
"""

import re
from html.parser import HTMLParser

_BLOCKS = {
    "p", "div", "br", "li", "ul", "ol", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6", "section", "pre", "hr", "dt",
    "dd", "dl", "blockquote", "article", "header", "footer", "thead", "tbody", "caption",
}  # fmt: skip
_CELLS = {"td", "th"}
_NOT_SHOWN = {"script", "style", "head", "title", "template"}
_REFUSED = {"img", "svg", "object", "embed", "iframe", "input", "select", "textarea", "s", "strike", "del", "canvas"}
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|line-through|font-size\s*:\s*0", re.IGNORECASE)
_BLANKS = re.compile(r"[ \t\r\n\f]+")


class HtmlUnreadable(ValueError):
    """Says which element cannot be told as text."""


def text_of_html(html: str) -> str:
    """The text, a line a block.

    Raises:
        HtmlUnreadable: an element whose meaning would be lost.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = [line.strip(" ") for line in "".join(reader.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0
        self._kept_blanks = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _REFUSED:
            raise HtmlUnreadable(f"an element <{tag}> cannot be told as text")
        if any(name == "hidden" or (name == "style" and _HIDING.search(value or "")) for name, value in attrs):
            raise HtmlUnreadable("hidden or struck-out words cannot be told as text")
        if tag in _NOT_SHOWN:
            self._hidden += 1
        self._kept_blanks += tag == "pre"
        self._space(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _NOT_SHOWN:
            self._hidden = max(0, self._hidden - 1)
        self._kept_blanks -= tag == "pre" and self._kept_blanks > 0
        if tag not in {"br", "hr"}:
            self._space(tag)

    def handle_data(self, data: str) -> None:
        if self._hidden == 0:
            self.parts.append(data if self._kept_blanks else _BLANKS.sub(" ", data))

    def _space(self, tag: str) -> None:
        if tag == "br" or (tag in _BLOCKS and self.parts and not self.parts[-1].endswith("\n")):
            self.parts.append("\n")
        elif tag in _CELLS and self.parts and not self.parts[-1].endswith(("\n", "\t")):
            self.parts.append("\t")
