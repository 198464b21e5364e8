"""What a readers' file may say and hardly means: told at start and by `check`, and no reason not to start.

A credential that ran out stays in the file as history, and must not keep a router from starting the day after.
"""

from collections.abc import Iterator
from datetime import datetime

from router.config import ReadersFile


def reader_warnings(file: ReadersFile, now: datetime) -> Iterator[tuple[str, str]]:
    """(key, what is odd) of credentials and display checks that have ended."""
    for number, reader in enumerate(file.readers):
        key = f"readers[{number}]"
        for place, credential in enumerate(reader.credentials):
            if credential.valid_until <= now:
                ended = f"{credential.valid_until:%Y-%m-%d}"
                words = f"the credential of {reader.id} for {credential.trust} expired on {ended}"
                renewed = any(c.trust == credential.trust and c.valid_until > now for c in reader.credentials)
                words += "; a later one is here" if renewed else f"; {reader.id} reads nothing of {credential.trust}"
                yield f"{key}.credentials[{place}].valid_until", words
        if reader.display_valid_until is not None and reader.display_valid_until <= now:
            ended = f"{reader.display_valid_until:%Y-%m-%d}"
            words = f"the display check of {reader.id} ended on {ended}; {reader.id} is given nothing"
            yield f"{key}.display_valid_until", words
