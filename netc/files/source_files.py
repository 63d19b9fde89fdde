"""Reading texts. In: a path. Out: a `SourceFile`, or an `Unreadable` with a diagnostic.

Always: a text is UTF-8, has no NUL, and fits in memory; the same file is the same `SourceFile` however its path was written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from netc.dsl.source import SourceFile, Span

from . import safetensors_arrays
from .file_access import OUTSIDE, SUFFIX, open_regular, why_out_of_reach, within
from .file_problems import BinaryFile, FileProblem, FileTooLarge, MissingFile, NotAFile, NotUtf8, UnreadableFile, diagnostic
from .package_data import folder

if TYPE_CHECKING:
    from netc.compiler.ops.stored_tables import TableArray
    from netc.dsl.diagnostics import Diagnostic

LIMIT = 64 << 20
"""The largest text, in bytes."""
USED = 2 << 20
"""The largest sum of the texts that others use, in characters."""
STD = "std/"
ZOO = "zoo/"
PACKAGE = "package:"
_REMEDY = "move it there, or allow its folder: `--allow-path DIR`, in Python `allow_paths=[DIR]`"
_CODE = "a spec loads no code; operators of your own come with `--plugin MODULE`, in Python with `import MODULE`"
_LISTED = {STD: "`netc ops std` lists the standard library", ZOO: "`netc zoo` lists the specs that are part of netc"}
_FOLDERS = {STD: folder("specs/std", "specs/std"), ZOO: folder("specs", "specs")}
"""Where the files are that netc has, by the beginning of their paths."""


class Unreadable(Exception):
    """A file that cannot be read as text. `span` is the position in it, or its empty beginning."""

    def __init__(self, problem: FileProblem, span: Span) -> None:
        super().__init__(problem.message())
        self.problem = problem
        self.span = span

    @property
    def diagnostic(self) -> Diagnostic:
        return diagnostic(self.problem, self.span)


def read_file(path: str, name: str | None = None, opener: Callable[[str, int], int] | None = None) -> SourceFile:
    """The text of a file. `name` is its name in messages, by default the path; `opener` is that of `open`."""
    return decode(read_content(path, path if name is None else name, opener, LIMIT), path if name is None else name)


def read_content(path: str, name: str, opener: Callable[[str, int], int] | None, limit: int) -> bytes:
    """The bytes of a file, at most one more than the limit. `name` is its name in messages. Raises `Unreadable`."""
    try:
        with open(path, "rb", opener=opener) as file:
            return file.read(limit + 1)
    except IsADirectoryError:
        raise _unreadable(NotAFile(name), name) from None
    except (FileNotFoundError, NotADirectoryError):
        raise _unreadable(MissingFile(name, _near(path, os.path.dirname(name))), name) from None
    except OSError as error:
        raise _unreadable(UnreadableFile(name, reason(error)), name) from None
    except ValueError:  # a NUL in the path
        raise _unreadable(MissingFile(name), name) from None


def read_stdin() -> SourceFile:
    """The text on standard input."""
    name = "<stdin>"
    try:
        content = sys.stdin.buffer.read(LIMIT + 1)
    except OSError as error:
        raise _unreadable(UnreadableFile(name, reason(error)), name) from None
    return decode(content, name)


def decode(content: bytes, name: str) -> SourceFile:
    """Decodes bytes; a byte order mark is removed."""
    if len(content) > LIMIT:
        raise _unreadable(FileTooLarge(name, LIMIT), name)
    content = content.removeprefix(b"\xef\xbb\xbf")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16, where every other byte is NUL
        raise _unreadable(NotUtf8(name, content[0], 0), name)
    if b"\0" in content:
        raise _unreadable(BinaryFile(name), name)
    try:
        return SourceFile(name, content.decode())
    except UnicodeDecodeError as error:
        source = SourceFile(name, content.decode(errors="replace"))
        at = len(content[: error.start].decode())
        raise Unreadable(NotUtf8(name, content[error.start], error.start), Span(source, at, at + 1)) from None


def reason(error: OSError) -> str:
    """The operating system's message in lower case: `permission denied`."""
    word = error.strerror or str(error) or type(error).__name__
    return word[:1].lower() + word[1:]


def _near(path: str, shown_in: str) -> tuple[str, ...]:
    """The files in the directory of `path` with similar names, as paths in the directory `shown_in`."""
    from netc.dsl.diagnostics.suggest import near

    try:
        names = os.listdir(os.path.dirname(path) or ".")
    except OSError:
        return ()
    stem, ending = os.path.splitext(os.path.basename(path))
    alike = [s for s, e in map(os.path.splitext, names) if e == ending]
    return tuple(os.path.join(shown_in, found + ending) for found in near(stem, alike))


def _unreadable(problem: FileProblem, name: str) -> Unreadable:
    return Unreadable(problem, Span(SourceFile(name, ""), 0, 0))


def _in_package(path: str) -> tuple[str, str]:
    """The path of a spec in an installed package, of which nothing is imported, and the package's folder. Raises FileNotFoundError with the
    reason."""
    from importlib.util import find_spec

    package, _, inside = path.partition("/")
    found = find_spec(package) if package.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f"there is no installed package `{package}`")
    for place in found.submodule_search_locations:
        home, where = os.path.realpath(place), os.path.realpath(os.path.join(place, inside))
        if not where.endswith(SUFFIX) or not within(where, [home]):
            raise FileNotFoundError(f"only `{SUFFIX}` files in the package's own folder can be used")
        if os.path.exists(where):
            return where, home
    raise FileNotFoundError(f"the package `{package}` has no such file")


def _library(path: str) -> str | None:
    """The beginning of a path that leads to a file of netc's own."""
    return next((prefix for prefix in _FOLDERS if path.startswith(prefix)), None)


class Loader:
    """Finds and reads the file of a `use "path"`: relative to the file that contains it, in the standard library or among the
    published specs, `zoo/vision/resnet.net`, or in an installed package, `package:voices/snake.net`.

    Only in the folder of the first file and in `allowed`, at any depth; a file of the standard library or of a package also in the folder
    of that. Called with the path as written and the file it is written in; raises `CannotLoad` for a file that cannot be read.
    """

    def __init__(self, main: SourceFile, path: str | None = None, allowed: Sequence[str] = ()) -> None:
        """`path` is where `main` was read from, if it was read from a file."""
        self._read: dict[str, SourceFile] = {}
        self._homes: dict[int, str] = {}
        self._main = real = "" if path is None else os.path.realpath(path)
        self._keep(real, main)
        self._libraries = {prefix: os.path.realpath(path) for prefix, path in _FOLDERS.items()}
        self._folders = [os.path.realpath(folder) for folder in (os.path.dirname(real), *allowed)]
        self._packages: list[str] = []
        self._arrays: dict[str, dict[str, TableArray]] = {}
        self._given = main.arrays if isinstance(main, safetensors_arrays.TextWithArrays) else {}
        self.digests: list[str] = []
        """SHA-256 of the files whose arrays were read, in the order of reading."""
        self._size = 0

    @property
    def sources(self) -> Iterable[SourceFile]:
        """The files that have been read, in the order of reading."""
        return self._read.values()

    def __call__(self, path: str, user: SourceFile) -> SourceFile:
        from netc.compiler.elaborate.elaboration_session import CannotLoad

        where, name, folders = self._wanted(path, user)
        try:
            real = os.path.realpath(where)
        except (OSError, ValueError):  # a NUL, a surrogate
            raise CannotLoad("no file can have this name") from None
        why = why_out_of_reach(real, folders)
        if why:
            listed = next((text for prefix, text in _LISTED.items() if path.rstrip("/") == prefix.rstrip("/")), "")
            code = _CODE if path.endswith(".py") else ""
            remedy = listed or code or (_REMEDY if why == OUTSIDE and _library(path) is None else "")
            raise CannotLoad(why, self._meant(path, user), remedy)
        if real not in self._read:
            try:
                self._keep(real, self._within_limits(self.read(real, name)))
            except Unreadable as error:
                missing = isinstance(error.problem, MissingFile)
                near = (_near(real, os.path.dirname(path)) if missing else ()) or self._meant(path, user)
                library = _library(path)
                raise CannotLoad(error.problem.why(), near, _LISTED[library] if library is not None and not near else "") from None
        return self._read[real]

    def array(self, path: str, name: str, user: SourceFile) -> TableArray:
        """The array of this name in the file that a table of `user` names, under the same rules; raises `CannotLoad` too."""
        from netc.compiler.elaborate.elaboration_session import CannotLoad

        where, shown, folders = self._wanted(path, user)
        try:
            real = os.path.realpath(where)
        except (OSError, ValueError):  # a NUL, a surrogate
            raise CannotLoad("no file can have this name") from None
        why = why_out_of_reach(real, folders, safetensors_arrays.SUFFIX)
        if why:
            raise CannotLoad(why, (), _REMEDY if why == OUTSIDE and _library(path) is None else "")
        if path in self._given:
            return self._named(self._given[path], name)
        if real not in self._arrays:
            try:
                content = self.read_bytes(real, shown)
                self._arrays[real] = safetensors_arrays.arrays_in(content, path)
            except Unreadable as error:
                raise CannotLoad(error.problem.why(), _near(real, os.path.dirname(path))) from None
            except ValueError as error:
                raise CannotLoad(str(error)) from None
            from hashlib import sha256  # loads OpenSSL

            self.digests.append(sha256(content).hexdigest())
        return self._named(self._arrays[real], name)

    @staticmethod
    def _named(arrays: Mapping[str, TableArray], name: str) -> TableArray:
        from netc.compiler.elaborate.elaboration_session import NoSuchArray
        from netc.dsl.diagnostics.suggest import near

        if name not in arrays:
            raise NoSuchArray("it has no such array", tuple(near(name, arrays)))
        return arrays[name]

    def read_bytes(self, real: str, name: str) -> bytes:
        """The content of a file that may be read. Raises `Unreadable`."""
        return read_content(real, name, open_regular, LIMIT)

    def read(self, real: str, name: str) -> SourceFile:
        """The text at a path that may be read. Raises `Unreadable`."""
        return read_file(real, name, open_regular)

    def _meant(self, path: str, user: SourceFile) -> tuple[str, ...]:
        """What a path means that lacks `.net`, or `std/` or `zoo/`: of files that may be used alone."""
        whole = path.removesuffix(SUFFIX) + SUFFIX
        for candidate in (whole, *(prefix + whole for prefix in _FOLDERS)):
            if candidate == path or candidate.startswith(PACKAGE) or "\0" in candidate:
                continue
            where, _, folders = self._wanted(candidate, user)
            real = os.path.realpath(where)
            if not why_out_of_reach(real, folders) and os.path.isfile(real):
                return (candidate,)
        return ()

    def _within_limits(self, source: SourceFile) -> SourceFile:
        from netc.compiler.elaborate.elaboration_session import CannotLoad

        self._size += len(source.text)
        if self._size > USED:
            raise CannotLoad(f"the files that are used are larger than {USED >> 20} MiB together")
        return source

    def _wanted(self, path: str, user: SourceFile) -> tuple[str, str, list[str]]:
        """Where a path leads, its name in messages, and the folders that it may lead into."""
        from netc.compiler.elaborate.elaboration_session import CannotLoad

        library = _library(path)
        if library is not None:
            home = self._libraries[library]
            return os.path.join(home, path.removeprefix(library)), path, list(self._libraries.values())
        if path.startswith(PACKAGE):
            try:
                where, home = _in_package(path.removeprefix(PACKAGE))
            except FileNotFoundError as error:
                raise CannotLoad(str(error)) from None
            except ValueError:
                raise CannotLoad("no file can have this name") from None
            self._packages.append(home)
            return where, path, [home]
        home = self._homes.get(id(user), self._main)  # a definition of the main text may be a text of its own
        where = os.path.join(os.path.dirname(home), path)
        name = os.path.normpath(os.path.join(os.path.dirname(user.name), path))
        return where, name, [*self._folders, *self._libraries.values(), *self._packages]

    def _keep(self, real: str, source: SourceFile) -> None:
        self._read[real] = source
        self._homes[id(source)] = real
