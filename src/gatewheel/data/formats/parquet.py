"""Data sets of Hugging Face on disk: Parquet files, and the Arrow files of `save_to_disk`. Needs pyarrow.

A folder with several splits is not guessed at: its parts are named. Names of classes are put in place of their numbers,
from what the library `datasets` writes into the schema. Images and sounds are left out.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gatewheel.kernel.errors import MissingPart, UserError

_SHARD = re.compile(r"-\d{5}-of-\d{5}(-\w+)?$")
_ROWS = 1_000
Decode = Callable[[Any], Any]


def rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each row with its number in its file, from 1.

    Raises UserError when the file cannot be read or the folder has several splits, MissingPart without pyarrow.
    """
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise MissingPart(
            f"reading {path.name} needs pyarrow, which is not installed", cure="run `pip install 'gatewheel[parquet]'`"
        ) from None
    for file in _files(path):
        number = 0
        try:
            schema, batches = _opened(file)
            decoders = _decoders(schema)
            for batch in batches:
                for row in batch.to_pylist():
                    number += 1
                    yield f"{file.name}, row {number}", _plain(row, decoders)
        except (pyarrow.ArrowException, OSError) as error:
            what = f"{file.name} cannot be read: {str(error).splitlines()[0][:160]}"
            raise UserError(what, cure="download it again, whole") from None


def is_one(path: Path) -> bool:
    """Whether this names Parquet or Arrow files: one of them, a folder with some, or what their names begin with."""
    if path.is_dir():
        return (path / "dataset_dict.json").is_file() or any(path.rglob("*.parquet")) or any(path.glob("*.arrow"))
    return path.suffix.lower() in (".parquet", ".arrow") or bool(_shards(path))


def _shards(path: Path) -> list[Path]:
    if path.exists() or not path.parent.is_dir():
        return []
    return sorted(each for each in path.parent.glob("*.parquet") if _SHARD.sub("", each.stem) == path.name)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if shards := _shards(path):
        return shards
    if not path.is_dir():
        raise UserError(f"there is no {path}", cure="correct the path")
    if (path / "dataset_dict.json").is_file():
        found = {each.name: sorted(each.glob("*.arrow")) for each in sorted(path.iterdir()) if each.is_dir()}
        groups = {name: files for name, files in found.items() if files}
    elif any(path.glob("*.arrow")):
        groups = {"": _saved(path)}
    else:
        groups = {}
        for file in sorted(path.rglob("*.parquet")):
            groups.setdefault(_SHARD.sub("", str(file.relative_to(path).with_suffix(""))), []).append(file)
    if len(groups) == 1:
        return next(iter(groups.values()))
    first, names = next(iter(groups), ""), ", ".join(groups)
    if not groups:
        raise UserError(f"{path} holds no Parquet or Arrow files", cure="name the file with the rows")
    raise UserError(f"{path} holds {names}", cure=f"name one of them, such as {path / first}")


def _saved(folder: Path) -> list[Path]:
    """The files of `save_to_disk` in their order; beside them others may lie that a cache left."""
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        return [folder / Path(each["filename"]).name for each in state["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return sorted(folder.glob("*.arrow"))


def _opened(file: Path) -> tuple[Any, Iterator[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.suffix.lower() == ".parquet":
        parquet = pq.ParquetFile(file)
        return parquet.schema_arrow, parquet.iter_batches(_ROWS)
    source = pa.memory_map(str(file))
    try:
        stream = pa.ipc.open_stream(source)
    except pa.ArrowInvalid:  # the format of files, not of streams, which others write
        reader = pa.ipc.open_file(source)
        return reader.schema, (reader.get_batch(at) for at in range(reader.num_record_batches))
    return stream.schema, iter(stream)


def _decoders(schema: Any) -> dict[str, Decode]:
    """How the numbers of each column of classes become their names."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {name: decode for name, feature in features.items() if (decode := _decoder(feature))}


def _decoder(feature: Any) -> Decode | None:
    if isinstance(feature, list) and len(feature) == 1:
        feature = {"feature": feature[0]}
    if not isinstance(feature, Mapping):
        return None
    names = feature.get("names")
    if feature.get("_type") == "ClassLabel" and isinstance(names, list):
        return lambda value: names[value] if isinstance(value, int) and 0 <= value < len(names) else ""
    inner = _decoder(feature["feature"]) if "feature" in feature else None
    return (lambda value: [inner(each) for each in value] if isinstance(value, list) else value) if inner else None


def _plain(row: Mapping[str, Any], decoders: Mapping[str, Decode]) -> dict[str, Any]:
    return {key: _json(decoders[key](value) if key in decoders else value) for key, value in row.items()}


def _json(value: Any) -> Any:
    """A value as JSON has it: times as text, no bytes, nothing where there is no number."""
    if isinstance(value, Mapping):
        return {str(key): _json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return None if isinstance(value, bytes) else str(value)
