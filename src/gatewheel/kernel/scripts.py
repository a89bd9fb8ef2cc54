"""Scripts that set no spaces between words: where words are counted or compared, each of their signs is one."""

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Inside of the brackets of a regular expression: Thai, Lao, Burmese, Khmer, kana, Han. Hangul sets spaces."""
