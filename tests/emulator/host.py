"""The AWS emulator, for as long as whoever started it holds its standard input open.

Its folder, TMPDIR, goes with it.
"""

import os
import shutil
import sys
import threading

from ministack.app import main


def end_with_parent():
    sys.stdin.buffer.read()
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
sys.argv = ["ministack"]
main()
