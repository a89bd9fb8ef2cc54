"""The 25 verifiable instructions of IFEval (Zhou et al. 2023): each a function of a text, and later a reward."""
