"""Plays the cases of the files imported here, in this order, against the server at the address given as the last argument.

A case is a function with the decorator of cases.py, which also says what the World it is given offers.
"""

import logging
import sys

import connection
from cases import play

if __name__ == "__main__":
    if sys.argv[1] == "hold":
        connection.hold(*sys.argv[2:])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(threadName)s %(message)s")
    import calls  # noqa: F401
    import watches  # noqa: F401
    import recipes  # noqa: F401
    play(sys.argv[-1])
