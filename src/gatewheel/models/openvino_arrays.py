"""OpenVINO's first touch of numpy, by one thread.

Its binding finds numpy once, in an initialiser that waits for the interpreter's lock while whoever holds that lock may
wait for the initialiser: two threads that hand it their first array at the same time wait for each other for ever.
"""

from __future__ import annotations

import threading

_first = threading.Lock()


def meet_numpy() -> None:
    """Hand one array to OpenVINO and take it back. Who loads something calls it before other threads use that."""
    import numpy as np
    from openvino import Tensor

    with _first:
        _ = Tensor(np.zeros((1, 1), np.int64)).data
