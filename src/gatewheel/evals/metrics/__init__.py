"""Numbers for an answer to a case, one file per metric, each by its reference implementation where there is one."""
