"""Which file is what: suffix and name to reader, and, for text, to the language it is written in.

Knows names only; `rag/discover.py` looks inside a file when its name says nothing.
"""

from __future__ import annotations

READERS: dict[str, str] = {
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    ".pdf": "pdf",
    **dict.fromkeys((".docx", ".docm", ".dotx"), "docx"),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx", ".potx"), "pptx"),
    ".ipynb": "notebook",
    **dict.fromkeys((".csv", ".tsv", ".tab"), "table"),
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
}

PROSE: dict[str, str] = {
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd"), "markdown"),
    **dict.fromkeys((".txt", ".text", ".log"), "text"),
    ".rst": "rst",
    **dict.fromkeys((".adoc", ".asciidoc"), "asciidoc"),
    ".org": "org",
    ".tex": "latex",
}

_LANGUAGES: dict[str, str] = {
    "python": ".py .pyi .pyx",
    "javascript": ".js .mjs .cjs .jsx",
    "typescript": ".ts .mts .tsx",
    "c": ".c .h",
    "cpp": ".cc .cpp .cxx .hh .hpp .hxx .cu .cuh",
    "csharp": ".cs",
    "java": ".java",
    "kotlin": ".kt .kts",
    "scala": ".scala",
    "go": ".go",
    "rust": ".rs",
    "ruby": ".rb",
    "php": ".php",
    "perl": ".pl .pm",
    "swift": ".swift",
    "r": ".r",
    "julia": ".jl",
    "lua": ".lua",
    "haskell": ".hs",
    "ocaml": ".ml .mli",
    "elixir": ".ex .exs",
    "erlang": ".erl",
    "clojure": ".clj",
    "dart": ".dart",
    "zig": ".zig",
    "fortran": ".f90 .f95 .f",
    "matlab": ".m",
    "shell": ".sh .bash .zsh .fish",
    "powershell": ".ps1",
    "sql": ".sql",
    "protobuf": ".proto",
    "graphql": ".graphql",
    "terraform": ".tf .hcl",
    "css": ".css .scss .less",
    "vue": ".vue",
    "svelte": ".svelte",
    "jinja": ".j2 .jinja",
    "cmake": ".cmake",
    "nix": ".nix",
    "toml": ".toml",
    "yaml": ".yaml .yml",
    "json": ".json .json5 .jsonc",
    "ini": ".ini .cfg .conf .properties",
    "xml": ".xml .xsd .xsl .svg",
    "diff": ".diff .patch",
}

CODE: dict[str, str] = {suffix: name for name, all_of in _LANGUAGES.items() for suffix in all_of.split()}

NAMED: dict[str, str] = {
    "makefile": "make",
    "dockerfile": "docker",
    "containerfile": "docker",
    "jenkinsfile": "groovy",
    "cmakelists.txt": "cmake",
    "gemfile": "ruby",
    "rakefile": "ruby",
    "justfile": "make",
}

CURES: dict[str, str] = {
    **dict.fromkeys((".doc", ".rtf", ".odt", ".pages"), "save it as .docx or .pdf"),
    **dict.fromkeys((".ppt", ".odp", ".key"), "save it as .pptx or .pdf"),
    **dict.fromkeys((".xls", ".xlsx", ".xlsm", ".ods", ".numbers"), "export the sheet as .csv"),
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".zst"), "unpack it first"),
    **dict.fromkeys((".epub", ".mobi", ".djvu", ".ps"), "convert it to .html or .pdf"),
    **dict.fromkeys((".parquet", ".arrow", ".feather", ".db", ".sqlite"), "export it as .csv or .jsonl"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".bmp"), "run OCR on it"),
}
"""What to do with a file that no reader takes, by suffix."""


def by_name(name: str) -> str | None:
    """The reader for a file of this name, or None when the name does not say.

    >>> by_name("Guide.MD"), by_name("rows.tsv"), by_name("photo.png")
    ('text', 'table', None)
    """
    suffix = suffix_of(name)
    if suffix in READERS:
        return READERS[suffix]
    return "text" if suffix in PROSE or suffix in CODE or name.lower() in NAMED else None


def kind_of_text(name: str) -> tuple[str, str]:
    """What a text file holds, as (format, kind): what the chunker needs, and the language in detail.

    >>> kind_of_text("a.md"), kind_of_text("a.rst"), kind_of_text("a.py"), kind_of_text("LICENSE")
    (('markdown', 'markdown'), ('text', 'rst'), ('code', 'python'), ('text', 'text'))
    """
    suffix, lower = suffix_of(name), name.lower()
    if lower in NAMED:
        return "code", NAMED[lower]
    if suffix in CODE:
        return "code", CODE[suffix]
    kind = PROSE.get(suffix, "text")
    return ("markdown" if kind == "markdown" else "text"), kind


def suffix_of(name: str) -> str:
    """The suffix in lower case with its dot, or an empty text: the last one of several."""
    stem, dot, end = name.rpartition(".")
    return f".{end.lower()}" if dot and stem else ""
