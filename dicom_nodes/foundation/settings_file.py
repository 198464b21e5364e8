"""Read a TOML settings file into a frozen model, or say what is wrong: file, key and what was expected."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo

from dicom_nodes.foundation.expectation import Expectation

ModelT = TypeVar("ModelT", bound=BaseModel)


class Settings(BaseModel):
    """Base of every settings table: frozen, and an unknown key is an error rather than a silent no-op.

    Infinity and NaN, which TOML can write, are no settings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SettingsError(Exception):
    """A settings file cannot be used; the message lists every problem as `file: key: reason`."""

    def __init__(self, file: Path, problems: list[tuple[str, str]]) -> None:
        self.file = file
        self.problems = problems
        super().__init__("\n".join(f"{file}: {key}: {reason}" for key, reason in problems))


def _host_and_port(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdecimal() and 0 <= int(port) <= 65535):
        raise ValueError(f"expected HOST:PORT such as '10.1.2.3:104', got {text!r}")
    return text


HostPort = Annotated[str, AfterValidator(_host_and_port)]
"""`HOST:PORT` as text; port 0 asks the system for a free one."""


def _ae_title(text: str) -> str:
    if not 1 <= len(text.strip()) <= 16 or text != text.strip() or not text.isascii() or "\\" in text:
        raise Expectation("expected an AE title of 1 to 16 ASCII characters without backslash or outer spaces")
    return text


def _from_the_files_folder(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return path if folder is None else Path(folder) / path


AeTitle = Annotated[str, AfterValidator(_ae_title)]
"""Application entity title (DICOM PS3.5 section 6.2, VR AE)."""
LocalPath = Annotated[Path, AfterValidator(_from_the_files_folder)]
"""A path that is relative to the settings file's folder."""
OdsCode = Annotated[str, Field(pattern=r"^[A-Z0-9]{3,6}$")]
"""A trust's or site's code in the Organisation Data Service."""


def split_host_port(address: str) -> tuple[str, int]:
    """Split a validated `HOST:PORT` into host and port; brackets of an IPv6 host are removed."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def load_settings(file: Path, model: type[ModelT]) -> ModelT:
    """Read `file` as TOML into `model`; relative paths in it are the model's own matter.

    The file's folder reaches validators as `info.context["folder"]`.

    Raises:
        SettingsError: unreadable file, TOML syntax error, or keys that are missing, unknown or wrong.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(file, [("(file)", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise SettingsError(file, [("(file)", "is not UTF-8 text")]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(file, [("(syntax)", str(error))]) from None
    try:
        return model.model_validate(document, context={"folder": file.parent.resolve()})
    except ValidationError as error:
        raise SettingsError(file, [_problem(detail) for detail in error.errors()]) from None


def _problem(detail: Any) -> tuple[str, str]:
    key = ""
    for part in detail["loc"]:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else str(part)
    reason = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        reason = "unknown key; is it misspelt?"
    elif detail["type"] == "missing":
        reason = "is missing and has no default"
    elif not isinstance(detail["input"], dict | list) and repr(detail["input"]) not in reason:
        reason = f"{reason}, got {detail['input']!r}"
    named = re.match(r"([a-z_.\[\]0-9]+): (.*)", reason, re.DOTALL)
    if named and named[1].startswith(key):  # a check across keys names its key itself
        key, reason = named.groups()
    return key or "(file)", reason
