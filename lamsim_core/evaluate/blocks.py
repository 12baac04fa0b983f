"""A report as a list of blocks, written as Markdown or as one HTML page that loads and runs nothing.

Texts in blocks are plain: both writers escape whatever could be read as markup.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_MARKUP = re.compile(r"[\\`*_{}\[\]<>#!|~$]|\+(?!\d)|:(?! )")
_STYLE = """
:root { color-scheme: light dark; --ink: #1d2625; --faint: #5f6b69; --line: #d5dcda; --back: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eae8; --faint: #9aa7a4; --line: #37413f; --back: #141a19; } }
body { font: 15px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--back); max-width: 76rem;
  margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin-bottom: .3rem; }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--faint); font-weight: 600; }
pre { border: 1px solid var(--line); border-radius: 6px; padding: .7rem; overflow-x: auto; }
svg { max-width: 100%; height: auto; display: block; margin: .6rem 0; }
svg text { fill: var(--ink); font-size: 13px; }
svg .faint { fill: var(--faint); }
svg line.grid { stroke: var(--line); }
"""
_PAGE = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
)


@dataclass(frozen=True)
class Heading:
    """A title: level 1 for the report's own."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list."""

    texts: Sequence[str]


@dataclass(frozen=True)
class Code:
    """Lines to be copied as they are."""

    text: str


@dataclass(frozen=True)
class Grid:
    """A table."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Plot:
    """A drawing, which only HTML holds: an svg element whose texts are escaped already."""

    svg: str


Block = Heading | Text | Items | Code | Grid | Plot


def markdown(blocks: Sequence[Block]) -> str:
    """The blocks as Markdown; drawings are left out, for the tables say the same."""
    return "\n\n".join(_as_markdown(block) for block in blocks if not isinstance(block, Plot)) + "\n"


def _as_markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {plain(text)}"
        case Text(text):
            return plain(text)
        case Items(texts):
            return "\n".join(f"- {plain(text)}" for text in texts)
        case Code(text):
            return "\n".join(f"    {line}" for line in text.splitlines())
        case Grid(head, rows):
            lines = [
                [plain(cell) for cell in head],
                ["---"] * len(head),
                *([plain(cell) for cell in row] for row in rows),
            ]
            return "\n".join(f"| {' | '.join(line)} |" for line in lines)
        case Plot(_):
            return ""


def page(blocks: Sequence[Block]) -> str:
    """The blocks as an HTML page in one file: no script, nothing fetched, light or dark as the reader's system is."""
    title = next((block.text for block in blocks if isinstance(block, Heading)), "Report")
    return _PAGE.format(title=_html(title), style=_STYLE, body="\n".join(map(_as_html, blocks)))


def _as_html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{_html(text)}</h{level}>"
        case Text(text):
            return f"<p>{_html(text)}</p>"
        case Items(texts):
            return f"<ul>{''.join(f'<li>{_html(text)}</li>' for text in texts)}</ul>"
        case Code(text):
            return f"<pre>{escape(text)}</pre>"
        case Grid(head, rows):
            titles = "".join(f"<th>{_html(cell)}</th>" for cell in head)
            lines = "".join(f"<tr>{''.join(f'<td>{_html(cell)}</td>' for cell in row)}</tr>" for row in rows)
            return f'<div class="scroll"><table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>'
        case Plot(svg):
            return svg


def plain(text: str) -> str:
    """Text with every character that Markdown could read as markup escaped, on one line."""
    return _MARKUP.sub(r"\\\g<0>", _flat(text))


def _html(text: str) -> str:
    return escape(_flat(text))


def _flat(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
