"""The command ``deconvnet``: starts the dashboard, or runs a command of ``deconv_core``."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import deconv_core
from deconv_core import __main__ as command_line
from deconv_core.errors import DeconvError
from deconv_dashboard.first_view import FirstView, tell_server

# The dashboard's modules are imported when they are needed: ``--help`` is answered at once.

ADDRESS = "127.0.0.1"
_PORT = 8501
_PORTS_TRIED = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status. The dashboard runs until it is stopped."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in command_line.COMMANDS:
        return command_line.main(given, program="deconvnet")
    parser = _parser()
    options = parser.parse_args(given)
    if options.place is not None and not _may_be_place(options.place):
        known = ", ".join(command_line.COMMANDS)
        parser.error(f"{options.place!a} is neither a folder nor a command ({known})")
    try:
        view = _first_view(options.place, options.network)
        port = _port(options.port)
    except (DeconvError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    tell_server(view)
    print(f"The dashboard is at http://{ADDRESS}:{port}/{view.query} (Ctrl+C ends it).", flush=True)
    _serve(port, headless=options.no_browser)
    return 0


def _parser() -> argparse.ArgumentParser:
    commands = "\n".join(f"  {name:<13}{what}" for name, what in command_line.COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="deconvnet",
        usage="deconvnet [options] [FOLDER]\n       deconvnet COMMAND ...",
        description="Show what the feature maps of a convolutional network respond to: start the\n"
        "dashboard, for this computer only, and open it in the browser.",
        epilog=f"commands, which need no browser (deconvnet COMMAND --help):\n{commands}\n\n"
        "For a folder that is called like a command, write ./scan.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "place",
        nargs="?",
        metavar="FOLDER",
        help="a folder of images, which the dashboard offers to scan, or an index",
    )
    parser.add_argument(
        "--network",
        help="demo, random, a classifier of torchvision (vgg19, resnet50, resnet50:random), or a "
        ".pth, .safetensors, .npy file",
    )
    parser.add_argument("--port", type=int, help=f"port of the server (default: from {_PORT} on)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")
    parser.add_argument("--version", action="version", version=deconv_core.__version__)
    return parser


def _may_be_place(text: str) -> bool:
    """False for a word that is not a path here: perhaps a mistyped command."""
    return "/" in text or os.sep in text or os.path.lexists(text)


def _first_view(place: str | None, network: str | None) -> FirstView:
    if place is None and network is None:
        return FirstView()
    from deconv_dashboard.data.given_place import network_named, view_of
    from deconv_dashboard.data.registry import Registry

    if place is None:
        return FirstView(network=network_named(Registry(), str(network)).network_id)
    return view_of(Registry(), place, network)


def _port(wished: int | None) -> int:
    """A port that is free: the one that was asked for, or one from 8501 on.

    Raises:
        DeconvError: the port that was asked for is not free, or none is.
    """
    if wished is not None:
        if not 1 <= wished <= 65_535 or not _free(wished):
            raise DeconvError(f"port {wished} is not free; choose another with --port")
        return wished
    for port in range(_PORT, _PORT + _PORTS_TRIED):
        if _free(port):
            if port != _PORT:
                print(f"Port {_PORT} is in use, so the dashboard takes port {port}.")
            return port
    raise DeconvError(f"no port from {_PORT} to {port} is free; choose one with --port")


def _free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        if os.name != "nt":  # as the server does: a port that was just left is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((ADDRESS, port))
        return True
    return False


def _serve(port: int, *, headless: bool) -> None:
    """Run Streamlit in this process. Flags count more than settings files and the environment."""
    from streamlit.web import cli

    flags = {
        "server.address": ADDRESS,
        "server.port": str(port),
        "server.headless": str(headless).lower(),
        "logger.hideWelcomeMessage": "true",
    }
    cli.main(
        ["run", str(_script()), *(f"--{name}={value}" for name, value in flags.items())],
        prog_name="streamlit",
    )


def _script() -> Path:
    """app.py: in a folder of its own where this package is installed, else in the repository."""
    installed = Path(__file__).parent / "app" / "app.py"
    return installed if installed.is_file() else Path(__file__).parents[1] / "app.py"


if __name__ == "__main__":
    sys.exit(main())
