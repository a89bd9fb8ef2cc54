"""GGUF to OpenVINO's own format, once per weights and version, kept whole in the user's cache.

Straight from the GGUF an OpenVINO pipeline takes 3–5 s to load every time; from the kept conversion 0.4 s. It is made
from weights that the import cannot distort (requantise.py).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gatewheel.kernel.errors import MissingPart, ModelError
from gatewheel.kernel.places import cache_dir
from gatewheel.models.requantise import make_importable
from gatewheel.models.weights import identity, read_json, write_json

_RECIPE = 2  # raise it when a conversion would come out differently; 1 took the weights as OpenVINO imports them
_EXACT = "-exact"
_MANIFEST = "manifest.json"  # sizes of the files: a file cut short would kill the process when it is mapped


def load(gguf: Path, *, threads: int, on_progress: Callable[[str], None], exact: bool = False) -> Any:
    """An `openvino_genai.LLMPipeline` of the weights at `gguf`, converting them first when that is still to do.

    `exact` keeps each weight as the file means it, in float16. A damaged conversion is made again. Two processes may
    convert at once; the first to finish is kept.
    Raises MissingPart without openvino-genai, ModelError when it cannot convert or the cache cannot be written.
    """
    folder = _folder(gguf, exact)
    _importable("openvino_genai")
    if _is_whole(folder):
        try:
            return _open(folder, threads, exact)
        except RuntimeError:
            on_progress(f"the converted weights in {folder} do not load and are made again")
    _importable("gguf")
    shutil.rmtree(folder, ignore_errors=True)
    on_progress(f"converting {gguf.name} for OpenVINO, once (about 5 s)")
    try:
        return _convert(gguf, folder, threads, exact)
    except OSError as error:
        cure = "set GATEWHEEL_CACHE to a folder with room"
        raise ModelError(f"cannot keep the converted weights in {folder}: {error}", cure=cure) from error
    except RuntimeError as error:
        cure = "use the engine llama.cpp for them"
        raise ModelError(f"OpenVINO cannot convert {gguf}: {error}", cure=cure) from error


def kept(gguf: Path, *, threads: int, on_progress: Callable[[str], None], exact: bool = False) -> Path:
    """The folder of the conversion, which is made first when that is still to do. Raises what `load` raises."""
    folder = _folder(gguf, exact)
    if not _is_whole(folder):
        load(gguf, threads=threads, on_progress=on_progress, exact=exact)
    return folder


def _folder(gguf: Path, exact: bool) -> Path:
    try:
        version = importlib.metadata.version("openvino-genai")
    except importlib.metadata.PackageNotFoundError as error:
        cure = "pip install openvino-genai"
        raise MissingPart("the package openvino-genai is not installed", cure=cure) from error
    return cache_dir() / "openvino" / f"{identity(gguf)[:16]}-{version}-{_RECIPE}{_EXACT if exact else ''}"


def _importable(module: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:  # an installation that is broken, or made for another processor
        package = module.replace("_", "-")
        cure = f"pip install --force-reinstall {package}"
        raise MissingPart(f"the package {package} cannot be imported: {error}", cure=cure) from error


def properties(folder: Path, *, threads: int, precise: bool) -> dict[str, Any]:
    """How a conversion is to be compiled. `precise`: the same tokens are as likely whatever is read beside them."""
    # The default 8-bit cache of keys and values changes 10 of 12 greedy answers of a 135M model against full
    # precision, 16 bits 7 of 12, at the same speed. With activations that are quantised on the way logits differ by up
    # to 0.5 after the same tokens.
    precision = {"KV_CACHE_PRECISION": "f16"}
    if precise:
        precision = {"KV_CACHE_PRECISION": "f32", "INFERENCE_PRECISION_HINT": "f32"}
        precision["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = "0"
    return {**precision, "INFERENCE_NUM_THREADS": threads, "CACHE_DIR": str(folder / "compiled")}


def _open(folder: Path, threads: int, exact: bool) -> Any:
    from openvino_genai import LLMPipeline

    # SDPA keeps one request in one state: the paged backend plans a scheduler and takes longer to load
    options = properties(folder, threads=threads, precise=exact)
    return LLMPipeline(str(folder), "CPU", ATTENTION_BACKEND="SDPA", **options)


def _convert(gguf: Path, folder: Path, threads: int, exact: bool) -> Any:
    """The pipeline of a conversion that now lies in `folder` too; the files it has mapped survive their renaming."""
    from openvino_genai import LLMPipeline

    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
    try:
        source = work / "model.gguf"  # OpenVINO saves beside the file it is given
        make_importable(gguf, source, exact=exact)
        LLMPipeline(str(source), "CPU", enable_save_ov_model=True, ATTENTION_BACKEND="SDPA")
        source.unlink()
        pipeline = _open(work, threads, exact)  # writes the compiled form, which is found by content, not by path
        write_json(work / _MANIFEST, _sizes(work))
        _put(work, folder)
        _sweep(folder)
        return pipeline
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _put(work: Path, folder: Path) -> None:
    try:
        os.rename(work, folder)  # noqa: PTH104 - must fail when the folder is there
    except OSError:
        if not _is_whole(folder):  # else another process was first, and its work is as good
            raise


def _sweep(folder: Path) -> None:
    """Take away what older versions made of the same weights: 100 MB and more that nobody would ever clear."""
    current = folder.name.removesuffix(_EXACT)
    keep = {current, current + _EXACT}
    for other in folder.parent.glob(f"{current.partition('-')[0]}-*"):
        if other.name not in keep:  # a process that still has files of it mapped keeps them until it ends
            shutil.rmtree(other, ignore_errors=True)


def _sizes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}


def _is_whole(folder: Path) -> bool:
    promised = read_json(folder / _MANIFEST)
    there = _sizes(folder) if promised else {}
    return bool(promised) and promised.items() <= there.items()
