"""Entry point of the command line: `antrax` and `python -m antrax`."""


def main() -> None:
    """Run the command line. Ctrl-C ends it with exit status 130 and no traceback."""
    try:
        _end_at_once_on_ctrl_c()
        # Imported inside the function: imports take most of the start-up time, and Ctrl-C must be handled meanwhile.
        from antrax.cli.main import main as command_line

        _raise_on_ctrl_c()
        command_line()
    except KeyboardInterrupt:
        _stop()


def _end_at_once_on_ctrl_c() -> None:
    import signal

    # An exception that a signal handler raises during an import may be replaced or swallowed.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: _stop())


def _raise_on_ctrl_c() -> None:
    import signal

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _stop() -> None:
    import os

    try:
        os.write(2, b"\nstopped\n")
    finally:
        os._exit(130)


if __name__ == "__main__":
    main()
