"""Runs a program in a pseudo-terminal until its screen shows a text, and ends it with Ctrl-C.

Arguments: the text, the program, its arguments. Writes the bytes that the screen showed; ends with 1 where the text was not
shown in time, or the program did not end with 0.
"""

import os
import pty
import select
import sys
import time

LIMIT = 180


def main():
    text, program = sys.argv[1].encode(), sys.argv[2:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(program[0], program)
    screen, interrupted = b"", False
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            try:
                piece = os.read(terminal, 65536)
            except OSError:
                break
            if not piece:
                break
            screen += piece
        if text in screen and not interrupted:
            os.write(terminal, b"\x03")
            interrupted = True
    if not interrupted:
        os.kill(pid, 9)
    _, status = os.waitpid(pid, 0)
    sys.stdout.buffer.write(screen)
    sys.exit(0 if interrupted and os.waitstatus_to_exitcode(status) == 0 else 1)


main()
