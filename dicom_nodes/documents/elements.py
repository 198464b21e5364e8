"""An encoded data set as nested items of decoded text: strict, lazy, and without a library that warns with values."""

from dataclasses import dataclass

from pydicom.charset import python_encoding
from pydicom.datadict import tag_for_keyword

from dicom_nodes.encoding.walk import Element, Layout, items, layout_of, plain_data_set, walk
from dicom_nodes.model.errors import CannotUnderstand


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a sequence, or the whole data set."""

    data: bytes
    layout: Layout
    elements: dict[int, Element]
    codec: str

    def raw(self, keyword: str) -> bytes:
        """The value's bytes; empty when absent."""
        element = self.elements.get(_tag(keyword))
        return self.data[element.start : element.end] if element else b""

    def text(self, keyword: str) -> str:
        """The value as text without padding; empty when absent.

        Raises:
            CannotUnderstand: a byte that the character set does not have.
        """
        return self.long_text(keyword).strip(" \0")

    def long_text(self, keyword: str) -> str:
        """As `text`, with its padding."""
        try:
            return self.raw(keyword).decode(self.codec)
        except UnicodeDecodeError:
            words = f"{keyword} holds bytes that Specific Character Set (0008,0005) does not have"
            raise CannotUnderstand(words) from None

    def items(self, keyword: str) -> list["Item"]:
        """The items of a sequence; none when absent."""
        sequence = self.elements.get(_tag(keyword))
        if sequence is None or sequence.start == sequence.end:
            return []
        found = []
        for elements in items(self.data, sequence, self.layout):
            by_tag = {element.tag: element for element in elements}
            inner = Item(self.data, self.layout, by_tag, self.codec)
            found.append(Item(self.data, self.layout, by_tag, inner.declared_codec(self.codec)))
        return found

    def declared_codec(self, inherited: str) -> str:
        """Python's codec for the item's own (0008,0005); an item without one has its parent's."""
        declared = self.raw("SpecificCharacterSet").decode("ascii", "replace").strip(" \0")
        if not declared:
            return inherited
        codec = "ascii" if declared in {"ISO_IR 6", "ISO 2022 IR 6"} else python_encoding.get(declared)
        if codec is None:
            raise CannotUnderstand("Specific Character Set (0008,0005) is none that is read here")
        return codec


def read_items(data_set: bytes, transfer_syntax_uid: str) -> Item:
    """The whole data set as an item.

    Raises:
        DamagedDataSetError: the bytes are not one complete data set.
        CannotUnderstand: its character set is not read here.
    """
    data, layout = plain_data_set(data_set, transfer_syntax_uid), layout_of(transfer_syntax_uid)
    elements = {element.tag: element for element in walk(data, layout)}
    undeclared = Item(data, layout, elements, "ascii")
    return Item(data, layout, elements, undeclared.declared_codec("ascii"))


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return tag
