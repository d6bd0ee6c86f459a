"""The start of the program: `antrax` and `python -m antrax`."""


def main() -> None:
    """Run the command line; from here on, Ctrl-C ends with exit status 130 and never with a traceback."""
    try:
        _end_at_once_on_ctrl_c()
        # Inside, for most of the time until the command begins is taken by imports.
        from antrax.cli.main import main as command_line

        _raise_on_ctrl_c()
        command_line()
    except KeyboardInterrupt:
        _stop()


def _end_at_once_on_ctrl_c() -> None:
    import signal

    # Raised in the middle of an import, an exception may come out as another one, or not at all.
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
