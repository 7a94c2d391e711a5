"""Text as Excel and Word files can hold it."""

import re

_CANNOT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def for_xml(text: str) -> str:
    """Return the text without the characters that no XML document can hold."""
    return _CANNOT.sub("", text)
