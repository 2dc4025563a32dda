"""Runs a program in a pseudo-terminal of 80 columns until its screen shows a text, and ends it with Ctrl-C.

Arguments: the text, the program, its arguments. Before them, `--hang-up` closes the terminal instead of Ctrl-C, and
`--end` waits for the end. Writes the bytes that the screen showed; ends with 1 where the text was not shown in time, or the
program did not end with 0.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

LIMIT = 180


def main():
    arguments = sys.argv[1:]
    end = arguments.pop(0) if arguments[0].startswith("--") else "--interrupt"
    text, program = arguments[0].encode(), arguments[1:]
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        # As a terminal would, whatever the tests themselves were started by.
        os.environ["TERM"] = "xterm"
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.execv(program[0], program)
    screen, shown = b"", False
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
        if text in screen and not shown:
            shown = True
            if end == "--hang-up":
                os.close(terminal)
                break
            if end == "--interrupt":
                os.write(terminal, b"\x03")
    if not shown:
        os.kill(pid, 9)
    _, status = os.waitpid(pid, 0)
    sys.stdout.buffer.write(screen)
    sys.exit(0 if shown and os.waitstatus_to_exitcode(status) == 0 else 1)


main()
