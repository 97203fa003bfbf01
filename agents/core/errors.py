"""Every error a user can meet, and the one table that turns it into an HTTP status and an exit code.

AiacError
├── InputError            what somebody gave us is wrong: a field, a file, an option
│   ├── QuestionError     ... inside a question
│   ├── TooLargeError     ... a request body over the limit
│   ├── LateBodyError     ... a request body that did not arrive in time
│   ├── MediaTypeError    ... a body that a web page sent as something other than JSON
│   ├── UnauthorizedError ... a missing or wrong key
│   ├── ForeignOriginError ... a request of another site's page
│   ├── UnknownHostError  ... a request for a host name that is not the service's
│   ├── UnknownQuestionError  a question that was never served
│   ├── UnknownMatchError  a match that has no event log here
│   ├── FileError         ... a file or folder that cannot be read or written
│   ├── UnknownModelError ... a model name that is not in the catalogue
│   ├── DamagedModelError ... weights that are not what was pinned or recorded
│   ├── ManifestError     ... an ensemble whose manifest does not fit
│   └── DiskSpaceError    ... not enough room for what was asked
├── DownloadError         no source of a model could be reached
├── EngineError           an engine failed, or cannot do what was asked of it
│   └── PromptTooLongError
├── NotReadyError         nothing can answer now: still loading, or every member failed
├── BusyError             so much is queued that an answer would be late
└── MissingExtraError     a dependency is not installed
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple


class AiacError(Exception):
    """The root of the tree. ``str(error)`` is one sentence fit for a person."""


class InputError(AiacError):
    """Something given to us is wrong.

    ``field`` names the field, file or option; ``found`` and ``expected`` are phrases that complete
    "found …; expected …". All three are kept, so that HTTP can return them separately.
    """

    def __init__(self, field: str, found: str, expected: str) -> None:
        self.field = field
        self.found = found
        self.expected = expected
        super().__init__(f"{field}: found {found}; expected {expected}")


class QuestionError(InputError):
    """A question that cannot be read."""


class TooLargeError(InputError):
    """A request body over the service's limit."""


class LateBodyError(InputError):
    """A request body that did not arrive in time."""


class MediaTypeError(InputError):
    """A body that a web page sent as something other than JSON."""


class ForeignOriginError(InputError):
    """A request that the page of another site made in a browser."""


class UnknownHostError(InputError):
    """A request for a host name that is not the service's."""


class UnauthorizedError(InputError):
    """A request without the bearer key, or with a wrong one."""


class UnknownQuestionError(InputError):
    """A question that was never served, so that there is nothing to say of it."""


class UnknownMatchError(InputError):
    """A match of which there is no event log."""


class FileError(InputError):
    """A file or folder that cannot be read or written."""


class UnknownModelError(InputError):
    """A model name that is not in the catalogue and is not a checkpoint folder."""


class DamagedModelError(InputError):
    """A weight file whose SHA-256 or structure is not the one expected."""


class ManifestError(InputError):
    """An ensemble manifest that is unreadable, of another schema, or does not fit the files beside it."""


class DiskSpaceError(InputError):
    """Not enough free disk for what was asked."""


class DownloadError(AiacError):
    """No source of a model could be reached."""


class EngineError(AiacError):
    """An engine failed, or cannot do what was asked of it."""


class PromptTooLongError(EngineError):
    """A prompt with more tokens than the model's context holds."""


class NotReadyError(AiacError):
    """Nothing can answer now."""


class BusyError(AiacError):
    """More is queued than can be done before an answer is due. ``retry_after_s`` is when it would fit, at least 1."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class MissingExtraError(AiacError):
    """A dependency is not installed. The message names it and the extra that brings it (``missing_package``)."""


class ErrorCodes(NamedTuple):
    http_status: int
    exit_code: int
    title: str


ERROR_CODES: dict[type[AiacError], ErrorCodes] = {
    UnauthorizedError: ErrorCodes(401, 2, "Unauthorized"),
    ForeignOriginError: ErrorCodes(403, 2, "Foreign origin"),
    UnknownQuestionError: ErrorCodes(404, 2, "Unknown question"),
    UnknownMatchError: ErrorCodes(404, 2, "Unknown match"),
    LateBodyError: ErrorCodes(408, 2, "Request timeout"),
    TooLargeError: ErrorCodes(413, 2, "Request too large"),
    MediaTypeError: ErrorCodes(415, 2, "Unsupported media type"),
    UnknownHostError: ErrorCodes(421, 2, "Unknown host"),
    InputError: ErrorCodes(422, 2, "Invalid input"),
    NotReadyError: ErrorCodes(503, 1, "Not ready"),
    BusyError: ErrorCodes(503, 1, "Busy"),
    EngineError: ErrorCodes(503, 1, "Engine failure"),
    AiacError: ErrorCodes(500, 1, "Internal error"),
}
"""HTTP status and exit code by class; a class that is not listed takes those of its nearest listed ancestor."""


def codes_of(error: AiacError) -> ErrorCodes:
    """The row of ``ERROR_CODES`` that applies to ``error``."""
    return next(ERROR_CODES[cls] for cls in type(error).__mro__ if cls in ERROR_CODES)


@contextmanager
def file_errors(place: Path | str, expected: str, kind: type[InputError] = FileError) -> Iterator[None]:
    """Raise ``kind`` at ``place`` instead of an OSError from the block.

    ``expected`` completes "expected …". Other exceptions pass unchanged.
    """
    try:
        yield
    except OSError as error:
        raise kind(str(place), system_reason(error), expected) from None


def system_reason(error: OSError) -> str:
    """Return the system's reason in lower case, such as "no such file or directory"."""
    return (error.strerror or first_line(error)).lower()


def describe(value: Any, *, limit: int = 60) -> str:
    """A short, printable phrase for a value somebody sent: its type, and its text when that is short.

    Lone surrogates and control characters come out escaped, so the phrase is always safe to print and to encode.
    """
    if value is None:
        return "null"
    if isinstance(value, dict):
        return f"an object with {len(value)} keys"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if not isinstance(value, str):
        return f"{type(value).__name__} {str(value)[:limit]}"
    if not value.strip():
        return "an empty string"
    if len(value) > limit:
        return f"a string of {len(value):,} characters"
    return ascii(value) if not value.isprintable() else repr(value)


def first_line(error: BaseException, *, limit: int = 200) -> str:
    """What another library's error says first, or its type when it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:limit]
