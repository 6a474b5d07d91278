"""The objects under a URL: each is put in one step, and read as it was put or not at all."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lttune.errors import UnreachableError
from lttune.store.files import reason_of
from lttune.store.remote.url import file_system_of, url_parts

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_ACCESS = "give this machine credentials that may list, read and write there (AWS_ACCESS_KEY_ID "
_ACCESS += "and AWS_SECRET_ACCESS_KEY, ~/.aws/credentials, GOOGLE_APPLICATION_CREDENTIALS, a role)"
_MENDS = {
    r"NO_SUCH_BUCKET|bucket does not exist|Bucket '.*' not found|NOT_FOUND": (
        "make the bucket, or give another --store"
    ),
    r"ACCESS_DENIED|INVALID_ACCESS_KEY|InvalidAccessKey|SIGNATURE|TOKEN|HTTP response code: 403|"
    r"PERMISSION_DENIED|UNAUTHENTICATED|OAuth2": _ACCESS,
    r"NETWORK_CONNECTION|UNAVAILABLE": "see that this machine reaches it, and that --store is "
    "right",
}
"""What a reason says -> what to do about it."""
_AGAIN = "and run the same command again"
_REQUEST = re.compile(r" \(Request ID: [^)]*\)")
_PIECE = 8 << 20
"""Bytes of an object that are in memory at once. Each piece is a request of S3's."""
_LONGEST = 300
"""Characters of a reason: Google's client tells all that it tried."""


class Bucket:
    """The objects under a URL; threads may share it.

    Args:
        url: one that ``require_where`` lets pass.
    """

    def __init__(self, url: str) -> None:
        found = url_parts(url)
        assert found is not None
        self.url, self._at = url, found

    @functools.cached_property
    def _system(self) -> FileSystem:
        return file_system_of(self._at)

    def get(self, name: str) -> bytes | None:
        """Returns an object's bytes, None if there is none.

        Raises:
            UnreachableError: if that is not told.
        """
        try:
            with self._told(), self._system.open_input_stream(self._path(name)) as stream:
                return stream.read()
        except FileNotFoundError:
            return None

    def digest(self, name: str) -> tuple[str, int] | None:
        """Returns an object's SHA-256 and bytes, None if there is none; not all is in memory.

        Raises:
            UnreachableError: if it is not told.
        """
        found, size = hashlib.sha256(), 0
        try:
            with self._told(), self._system.open_input_stream(self._path(name)) as stream:
                while piece := stream.read(_PIECE):
                    found.update(piece)
                    size += len(piece)
        except FileNotFoundError:
            return None
        return found.hexdigest(), size

    def put(self, name: str, data: bytes) -> None:
        """Puts an object; what has the name is replaced in one step.

        Raises:
            UnreachableError: if it is not taken.
        """
        # A write that failed would have its piece put as the stream is closed: digests tell it.
        try:
            with self._told(), self._system.open_output_stream(self._path(name)) as stream:
                stream.write(data)
        except FileNotFoundError as error:  # Google's word for a bucket that is missing.
            raise self._unusable(error) from error

    def sizes(self, folder: str) -> dict[str, int]:
        """Returns name -> bytes of all objects whose names begin with a folder's.

        Raises:
            UnreachableError: if that is not told.
        """
        from pyarrow.fs import FileSelector, FileType

        selected = FileSelector(self._path(folder), recursive=True, allow_not_found=True)
        try:
            with self._told():
                found = self._system.get_file_info(selected)
        except FileNotFoundError as error:
            raise self._unusable(error) from error
        above = len(self._path(""))
        return {one.path[above:]: one.size for one in found if one.type == FileType.File}

    def absence(self) -> str:
        """Returns what is not there, the bucket or anything under the URL; "" if there is some.

        Reading and listing do not tell (pyarrow 25.0): without a bucket there is no object either.

        Raises:
            UnreachableError: if that is not told.
        """
        from pyarrow.fs import FileType

        with self._told():
            places = [self._at.bucket, self._path("").rstrip("/")]
            bucket, prefix = self._system.get_file_info(places)
        if bucket.type == FileType.NotFound:
            return f"there is no bucket {self._at.bucket}"
        return "there is nothing under it" if prefix.type == FileType.NotFound else ""

    def remove(self, name: str) -> None:
        """Removes an object, as far as that is allowed."""
        with contextlib.suppress(OSError):
            self._system.delete_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._at.bucket}/{self._at.prefix}{name}"

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        from pyarrow import ArrowException

        try:
            yield
        except FileNotFoundError:
            raise
        # pyarrow's are of all of them: what Google's client calls unknown is of the last alone.
        except (OSError, ValueError, NotImplementedError, ArrowException) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> UnreachableError:
        reason = _REQUEST.sub("", reason_of(error))[:_LONGEST]
        mends = (mend for pattern, mend in _MENDS.items() if re.search(pattern, reason_of(error)))
        mend = next(mends, "see that it can be used")
        return UnreachableError(f"{self.url} cannot be used: {reason}; {mend} {_AGAIN}")
