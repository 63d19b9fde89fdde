"""What MkDocs needs beyond docs/: pages at the top of the repository, lists of the errors and words, and files that pages link to.

In: the repository. Out: generated pages. Always: docs/ stays as it is; links to files of the repository lead to copies.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from pygments.lexers import LEXERS

from netc.highlighting import NetLexer

ROOT = Path(__file__).resolve().parents[1]
TOP = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
LINK = re.compile(r"\]\(([^)#:\s]+)(#[^)\s]*)?\)")
LISTS = {"errors": "Errors and warnings", "words": "Words of the language"}
INTRODUCTIONS = {
    "errors": "What netc reports, by its code; `netc explain CODE` shows the same page.",
    "words": "The keywords; `netc ops WORD` shows the same page.",
}
HEADER = re.compile(r"^```(\w+) +(.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

BOOSTS = {"guides": 3.0, "operators": 2.0, "errors": 0.5}
"""How much a page of a folder counts in a search: the pages of errors have so few words that each of them counts too much."""
CODE = re.compile(r"(<code>)([^<]*)(?=</code>)")
"""Code that is not highlighted: in a sentence."""
SECTION = re.compile(r'\bdocs/(language/\w+\.md), "([^"]+)"')
"""A section of the language, as `netc ops WORD` names it."""
WORD = re.compile(r"[^\s|]*-[^\s|]{1,30}(?=[\s|]|$)")
"""A word with a dash that is short enough for a line of a phone."""

LEXERS[NetLexer.__name__] = (NetLexer.__module__, NetLexer.name, NetLexer.aliases, NetLexer.filenames, NetLexer.mimetypes)
"""Also where an older netc was installed, whose entry points have no lexer."""


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages, and every file that a page links to."""
    docs = Path(config.docs_dir)
    pages = {path.relative_to(docs).as_posix(): path.read_text(encoding="utf-8") for path in docs.rglob("*.md")}
    made = {name: _from_top((ROOT / name).read_text(encoding="utf-8")) for name in TOP}
    made["index.md"] = _from_top((ROOT / "README.md").read_text(encoding="utf-8"))
    made |= {f"{folder}/index.md": _list(folder, docs / folder) for folder in LISTS}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    for name, text in (pages | made).items():
        for target in _outside(name, text):
            if files.get_file_from_path(f"files/{target}") is None:
                files.append(_copy(config, target))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Leads links out of docs/ to the copies."""
    name = page.file.src_uri
    page.meta["search"] = {"boost": BOOSTS.get(name.partition("/")[0], 1.0)}
    up = "../" * name.count("/")

    def link(match: re.Match[str]) -> str:
        target = _target(name, match[1])
        if target is None:
            return match[0]
        return f"]({up}{target}{match[2] or ''})" if target in TOP else f"]({up}files/{target}{'.txt' if _is_text(target) else ''})"

    return LINK.sub(link, HEADER.sub(_header, SECTION.sub(rf"[\2]({up}\1)", markdown)))


def on_page_content(html: str, **_: Any) -> str:
    """Code within a sentence: an option does not break at its dashes, and `\\|`, which tables of Markdown need, is `|`."""
    return CODE.sub(lambda match: match[1] + WORD.sub(r'<span style="white-space:nowrap">\g<0></span>', match[2].replace("\\|", "|")), html)


def _header(match: re.Match[str]) -> str:
    """The first line of an example, without what is for the tests."""
    named = re.search(r"\bfile=(\S+)", match[2])
    return f'```{match[1]} title="{named[1]}"' if named else f"```{match[1]}"


def _from_top(text: str) -> str:
    """A text of the top of the repository as one of docs/."""

    def link(match: re.Match[str]) -> str:
        path = match[1]
        if path == "README.md":
            return f"](index.md{match[2] or ''})"
        return f"]({path.removeprefix('docs/') if path.startswith('docs/') else path if path in TOP else f'../{path}'}{match[2] or ''})"

    return LINK.sub(link, text)


def _target(name: str, path: str) -> str | None:
    """The file of the repository that a link of a page leads to, if it is not in docs/."""
    whole = (ROOT / "docs" / name).parent / path
    relative = Path(*_resolved(whole.relative_to(ROOT).parts)).as_posix()
    return None if relative.startswith("docs/") or not (ROOT / relative).exists() else relative


def _resolved(parts: tuple[str, ...]) -> list[str]:
    kept: list[str] = []
    for part in parts:
        if part == "..":
            kept.pop()
        else:
            kept.append(part)
    return kept


def _outside(name: str, text: str) -> list[str]:
    found = [_target(name, match[1]) for match in LINK.finditer(FENCE.sub("", text))]
    return [target for target in found if target is not None and target not in TOP]


def _is_text(target: str) -> bool:
    """Whether a browser would rather save the file than show it."""
    return Path(target).suffix in (".net", ".lua", ".el", ".toml", ".py") or (ROOT / target).is_dir()


def _copy(config: Any, target: str) -> File:
    path = ROOT / target
    if path.is_dir():
        names = "\n".join(sorted(one.name for one in path.iterdir() if not one.name.startswith("_")))
        return File.generated(config, f"files/{target}.txt", content=names + "\n")
    if _is_text(target):
        return File.generated(config, f"files/{target}.txt", content=path.read_text(encoding="utf-8"))
    return File.generated(config, f"files/{target}", content=path.read_bytes())


def _list(folder: str, path: Path) -> str:
    """A page with a line for each page of a folder: its name, and its first sentence."""
    lines = [f"# {LISTS[folder]}\n", INTRODUCTIONS[folder] + "\n", "| | |", "|---|---|"]
    for page in sorted(path.glob("*.md")):
        body = FENCE.sub("", page.read_text(encoding="utf-8"))
        paragraphs = [part for part in re.split(r"\n\s*\n", body) if part.strip() and not part.lstrip().startswith("#")]
        first = " ".join(paragraphs[0].split()) if paragraphs else ""
        sentence = re.sub(r":$", ".", re.split(r"(?<=[^.]\.)\s", first)[0]).replace("|", "\\|")
        lines.append(f"| [{page.stem}]({page.name}) | {sentence} |")
    return "\n".join(lines) + "\n"
