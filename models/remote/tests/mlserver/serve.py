"""`mlserver start FOLDER`, which also ends when its stdin does: a test that dies leaves no server behind."""

import os
import sys
import threading

from mlserver.cli.main import root


def end_with_stdin():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_stdin, daemon=True).start()
root(["start", sys.argv[1]])
