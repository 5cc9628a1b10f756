"""Notes as a reader of Markdown takes them."""

from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token


@dataclass
class Read:
    """What stands in a note."""

    texts: list[str] = field(default_factory=list)
    """Of paragraphs and headings, as they are read."""
    tables: list[list[list[str]]] = field(default_factory=list)
    """Rows of cells, the head among them."""
    blocks: list[str] = field(default_factory=list)
    """Of code."""
    links: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)


def read_markdown(note: str) -> Read:
    """By the rules of GitHub, as optuna-dashboard does it."""
    read = Read()
    in_table = False
    for token in MarkdownIt("commonmark").enable("table").parse(note):
        match token.type:
            case "table_open":
                in_table = True
                read.tables.append([])
            case "table_close":
                in_table = False
            case "tr_open":
                read.tables[-1].append([])
            case "fence" | "code_block":
                read.blocks.append(token.content)
            case "html_block":
                read.html.append(token.content)
            case "inline":
                text = _text(token, read)
                (read.tables[-1][-1] if in_table else read.texts).append(text)
    return read


def _text(inline: Token, read: Read) -> str:
    parts: list[str] = []
    for token in inline.children or []:
        if token.type == "link_open":
            read.links.append(str(token.attrs["href"]))
        if token.type == "html_inline":
            read.html.append(token.content)
        parts.append("\n" if token.type == "softbreak" else token.content)
    return "".join(parts).replace("\xa0", " ").strip()
