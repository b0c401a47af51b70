# SPDX-License-Identifier: GPL-3.0-or-later
"""The arrays of an .npz that somebody may have made to do harm.

Nothing is unpickled, and no more memory is taken than the file's own size announces: a small archive may
unpack to terabytes, and the header of an array may promise any shape.
"""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
import zlib
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadMotion

AGAIN = "Choose the file again"

_NOT_AN_ARRAY = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,  # zipfile's word for a member with a password
    AttributeError,
    TypeError,
    RecursionError,
    SyntaxError,
    tokenize.TokenError,
    OverflowError,
    MemoryError,
)


def arrays_in(
    file: IO[bytes], name: str, most_bytes: int, most_members: int, what: str = "a motion file"
) -> dict[str, NDArray[Any]]:
    """All arrays of an open .npz, none of them an object, each no larger than its member of the archive.
    Raises BadMotion, and OSError where reading fails.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > most_members:
                raise BadMotion(f"{name} is not {what}: it holds {len(members)} arrays")
            if sum(member.file_size for member in members) > most_bytes:
                raise BadMotion(f"{name} unpacks to more than {most_bytes >> 20} MB: that is not {what}")
            for member in members:
                _check(archive, member)
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}
    except _NOT_AN_ARRAY:
        raise BadMotion(f"{name} is not {what}, or is damaged", AGAIN) from None
    except ValueError as error:
        objects = "pickle" in str(error).lower()
        held = "objects instead of numbers" if objects else f"what numpy cannot read ({error!s:.100})"
        raise BadMotion(f"{name} holds {held}; it was not opened any further") from None


def packed(arrays: dict[str, Any]) -> bytes:
    """The bytes of an .npz with these arrays."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _check(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuse an array whose header announces more than its member holds: numpy would make room for it first.
    Raises ValueError as numpy does.
    """
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
        if version != (1, 0):  # what numpy writes for plain arrays; later ones are for huge headers and names
            raise ValueError(f"version {version[0]}.{version[1]} of its format")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)  # type: ignore[no-untyped-call]
        if not dtype.hasobject and math.prod(shape) * dtype.itemsize > member.file_size:
            raise ValueError(f"{member.filename} is shorter than it says")
