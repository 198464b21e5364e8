"""One line end for a text that came from several systems: CR LF of DICOM and FHIR, CR and LF all end a line."""


def one_line_end(text: str) -> str:
    """The text with LF at the end of each line, and nothing else changed."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
