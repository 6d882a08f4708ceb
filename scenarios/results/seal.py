"""A seal behind the content of a file, so that its bytes are known to be what was written before anything reads them.

The HDF5 library can go on for ever over a damaged file, end the process, or return numbers that nobody
wrote. What stands behind the last byte that it looks at is no concern of it, nor of other programs.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

_MARK = b"\nnudgelab sha256 "
_SIZE = len(_MARK) + 2 * hashlib.sha256().digest_size


def append_seal(content: io.BytesIO) -> None:
    """Append the seal to the content of a file."""
    with content.getbuffer() as view:
        found = hashlib.sha256(view).hexdigest()
    content.seek(0, io.SEEK_END)
    content.write(_MARK + found.encode())


def check_seal(path: Path) -> bool | None:
    """Tell whether a file is what was written; None: it has no seal.

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    with path.open("rb") as file:
        left = file.seek(0, io.SEEK_END) - _SIZE
        if left < 0:
            return None
        file.seek(left)
        end = file.read(_SIZE)
        if not end.startswith(_MARK):
            return None
        file.seek(0)
        found = hashlib.sha256()
        while left > 0 and (part := file.read(min(left, 2**20))):
            found.update(part)
            left -= len(part)
    return end == _MARK + found.hexdigest().encode()
