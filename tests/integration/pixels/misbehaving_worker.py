"""A worker in place of the codecs' one, which does what its data set says: crash, hang, wait, or work."""

import os
import sys
import time

from dicom_nodes.pixels.worker import JOB, OUTCOME


def main() -> None:
    while head := sys.stdin.buffer.read(JOB.size):
        size, stored_size, wanted_size = JOB.unpack(head)
        sys.stdin.buffer.read(wanted_size + stored_size)
        order = sys.stdin.buffer.read(size)
        if order == b"crash":
            os.abort()
        if order.startswith(b"/"):  # work until that file is there
            while not os.path.exists(order):
                time.sleep(0.01)
        if order == b"hang":
            time.sleep(600)
        answer = str(os.getpid()).encode()
        if order == b"half":
            sys.stdout.buffer.write(OUTCOME.pack(True, 1000) + answer)
            return
        sys.stdout.buffer.write(OUTCOME.pack(True, len(answer)) + answer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
