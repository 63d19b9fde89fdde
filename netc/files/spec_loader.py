"""Find and read the files that a spec names: by a `use`, or as the array of a table.

In: a path as it is in the spec, and the spec's file. Out: the text or the array, or `CannotLoad`. Always: the file is in a folder that the
caller allowed. One file is one `SourceFile`, however its path is written, so a block has one identity.

    >>> import netc
    >>> list(netc.compile('use "std/convolution.net": conv_norm; input 3x8x8 -> conv_norm 8').parameters)[:2]
    ['conv_norm1.0.weight', 'conv_norm1.1.weight']
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from netc.compiler.elaborate.elaboration_session import ArrayNotFound, CannotLoad
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.source import SourceFile

from . import safetensors_arrays
from .file_access import OUTSIDE, SUFFIX, explain_forbidden_use, is_within, open_regular
from .file_problems import MissingFile
from .package_data import find_data_folder
from .source_files import MAX_BYTES, Unreadable, find_similar_files, read_content, read_file
from .used_files import Parsed, UsedFiles

if TYPE_CHECKING:
    from netc.compiler.ops.stored_tables import TableArray

MAX_USED_CHARACTERS = 2 << 20
"""The most characters of all used files together: a chain of uses could otherwise fill the memory."""
STD = "std/"
ZOO = "zoo/"
PACKAGE = "package:"
_REMEDY = "move it there, or allow its folder: `--allow-path DIR`, in Python `allow_paths=[DIR]`"
_CODE = "a spec loads no code; operators of your own come with `--plugin MODULE`, in Python with `import MODULE`"
_LISTED = {STD: "`netc ops std` lists the standard library", ZOO: "`netc zoo` lists the specs that are part of netc"}
_FOLDERS = {STD: find_data_folder("specs/std", "specs/std"), ZOO: find_data_folder("specs", "specs")}
"""The folders of netc's own specs, by the beginning of the paths that lead to them."""


def _find_in_package(path: str) -> tuple[str, str]:
    """Return the path of a spec in an installed package, and the package's folder. Nothing of the package is imported: `find_spec` of a
    top-level name only looks for it. Raises FileNotFoundError with the reason."""
    from importlib.util import find_spec

    package, _, inside = path.partition("/")
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"there is no installed package `{package}`")
    for place in spec.submodule_search_locations:
        home, where = os.path.realpath(place), os.path.realpath(os.path.join(place, inside))
        if not where.endswith(SUFFIX) or not is_within(where, [home]):
            raise FileNotFoundError(f"only `{SUFFIX}` files in the package's own folder can be used")
        if os.path.exists(where):
            return where, home
    raise FileNotFoundError(f"the package `{package}` has no such file")


def _get_library_prefix(path: str) -> str | None:
    """Return the beginning `std/` or `zoo/` of a path that leads to netc's own files, or None."""
    return next((prefix for prefix in _FOLDERS if path.startswith(prefix)), None)


class SpecLoader:
    """Load the file of a `use "path"`.

    The path is relative to the file that contains it, or begins with `std/`, `zoo/` or `package:`, as in `zoo/vision/resnet.net` and
    `package:voices/snake.net`. The file must be in the folder of the first file or in `allowed`, at any depth. A file of the standard
    library or of a package may also use files of its own folder.

    A call takes the path as written and the file that contains it. It raises `CannotLoad` for a file that cannot be read.
    """

    def __init__(self, main: SourceFile, path: str | None = None, allowed: Sequence[str] = (), used_files: UsedFiles | None = None) -> None:
        """`path` is the path of `main`, if it was read from a file. `used_files` has the files that other specs use."""
        self._used_files = used_files or UsedFiles()
        self._read: dict[str, SourceFile] = {}
        self._homes: dict[int, str] = {}
        self._main = real = "" if path is None else os.path.realpath(path)
        self._remember_source(real, main)
        self._libraries = {prefix: os.path.realpath(path) for prefix, path in _FOLDERS.items()}
        self._folders = [os.path.realpath(folder) for folder in (os.path.dirname(real), *allowed)]
        self._packages: list[str] = []
        self._arrays: dict[str, dict[str, TableArray]] = {}
        self._given = main.arrays if isinstance(main, safetensors_arrays.TextWithArrays) else {}
        self.digests: list[str] = []
        """The SHA-256 hashes of the files whose arrays were read, in the order of reading."""
        self._size = 0

    @property
    def sources(self) -> Iterable[SourceFile]:
        """The files that have been read, in the order of reading."""
        return self._read.values()

    def __call__(self, path: str, user: SourceFile) -> SourceFile:
        where, name, folders = self._resolve_path(path, user)
        try:
            real = os.path.realpath(where)
        except (OSError, ValueError):  # a NUL, a surrogate
            raise CannotLoad("no file can have this name") from None
        why = explain_forbidden_use(real, folders)
        if why:
            listed = next((text for prefix, text in _LISTED.items() if path.rstrip("/") == prefix.rstrip("/")), "")
            code = _CODE if path.endswith(".py") else ""
            remedy = listed or code or (_REMEDY if why == OUTSIDE and _get_library_prefix(path) is None else "")
            raise CannotLoad(why, self._suggest_paths(path, user), remedy)
        if real not in self._read:
            try:
                self._remember_source(real, self._check_total_size(self.read_source(real, name)))
            except Unreadable as error:
                missing = isinstance(error.problem, MissingFile)
                near = (find_similar_files(real, os.path.dirname(path)) if missing else ()) or self._suggest_paths(path, user)
                library = _get_library_prefix(path)
                raise CannotLoad(
                    error.problem.explain_reason(), near, _LISTED[library] if library is not None and not near else ""
                ) from None
        return self._read[real]

    def load_array(self, path: str, name: str, user: SourceFile) -> TableArray:
        """Return an array of the file that a table of `user` names, under the same rules. Raises `CannotLoad`."""
        where, shown, folders = self._resolve_path(path, user)
        try:
            real = os.path.realpath(where)
        except (OSError, ValueError):  # a NUL, a surrogate
            raise CannotLoad("no file can have this name") from None
        why = explain_forbidden_use(real, folders, safetensors_arrays.SUFFIX)
        if why:
            raise CannotLoad(why, (), _REMEDY if why == OUTSIDE and _get_library_prefix(path) is None else "")
        if path in self._given:
            return self._get_array(self._given[path], name)
        if real not in self._arrays:
            try:
                content = self.read_bytes(real, shown)
                self._arrays[real] = safetensors_arrays.parse_arrays(content, path)
            except Unreadable as error:
                raise CannotLoad(error.problem.explain_reason(), find_similar_files(real, os.path.dirname(path))) from None
            except ValueError as error:
                raise CannotLoad(str(error)) from None
            from hashlib import sha256  # loads OpenSSL

            self.digests.append(sha256(content).hexdigest())
        return self._get_array(self._arrays[real], name)

    @staticmethod
    def _get_array(arrays: Mapping[str, TableArray], name: str) -> TableArray:
        if name not in arrays:
            raise ArrayNotFound("it has no such array", tuple(find_similar_names(name, arrays)))
        return arrays[name]

    def read_bytes(self, real: str, name: str) -> bytes:
        """Return the content of an allowed file. Raises `Unreadable`."""
        return read_content(real, name, open_regular, MAX_BYTES)

    def read_source(self, real: str, name: str) -> SourceFile:
        """Return the text of an allowed file. Raises `Unreadable`."""
        return self._used_files.read_source(real, name, lambda real, name: read_file(real, name, open_regular))

    def parse_source(self, source: SourceFile) -> Parsed:
        """Return the tree of a file that has been read, and its errors."""
        return self._used_files.parse_source(source)

    def _suggest_paths(self, path: str, user: SourceFile) -> tuple[str, ...]:
        """Return the path that was probably meant: with `.net`, or after `std/` or `zoo/`. Only files that may be used are suggested."""
        file_path = path.removesuffix(SUFFIX) + SUFFIX
        for candidate in (file_path, *(prefix + file_path for prefix in _FOLDERS)):
            if candidate == path or candidate.startswith(PACKAGE) or "\0" in candidate:
                continue
            where, _, folders = self._resolve_path(candidate, user)
            real = os.path.realpath(where)
            if not explain_forbidden_use(real, folders) and os.path.isfile(real):
                return (candidate,)
        return ()

    def _check_total_size(self, source: SourceFile) -> SourceFile:
        self._size += len(source.text)
        if self._size > MAX_USED_CHARACTERS:
            raise CannotLoad(f"the files that are used are larger than {MAX_USED_CHARACTERS >> 20} MiB together")
        return source

    def _resolve_path(self, path: str, user: SourceFile) -> tuple[str, str, list[str]]:
        """Return the file that a path leads to, its name in messages, and the folders that it may be in."""
        library = _get_library_prefix(path)
        if library is not None:
            home = self._libraries[library]
            return os.path.join(home, path.removeprefix(library)), path, list(self._libraries.values())
        if path.startswith(PACKAGE):
            try:
                where, home = _find_in_package(path.removeprefix(PACKAGE))
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

    def _remember_source(self, real: str, source: SourceFile) -> None:
        self._read[real] = source
        self._homes[id(source)] = real
