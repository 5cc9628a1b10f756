"""What is read in a report."""

import html
import re

SCRIPT = re.compile(r"<script[^>]*>.*?</script>", re.DOTALL)


def shown_text(page: str) -> str:
    """What a reader sees, spaces made one; scripts and styles left out."""
    bare = re.sub(r"<style>.*?</style>", "", SCRIPT.sub("", page), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def figures(page: str) -> list[str]:
    return re.findall(r'id="figure-(\w+)"', page)
