"""The command line: ``python -m deconv_core scan``, ``top``, ``check`` and ``specificity``."""

from __future__ import annotations

import argparse
import io
import json
import os
import select
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import deconv_core
from deconv_core.errors import CancelledError, DeconvError
from deconv_core.interrupts import CANCELLED, Interrupts

# Commands import what they need when they run: ``--help`` and mistakes are answered at once.
if TYPE_CHECKING:
    from deconv_core.images.folder import ImageFolder
    from deconv_core.index.activation_index import ActivationIndex
    from deconv_core.index.folder import IndexFolder
    from deconv_core.index.manifest import Manifest
    from deconv_core.network.network import Network
    from deconv_core.progress import ScanProgress
    from deconv_core.scanning.ray_engine import RayEngine
    from deconv_core.storage import Location

COMMANDS = {
    "scan": "scan a folder of images into an index (resumes an unfinished one)",
    "top": "draw the top activations of a layer or of one feature map",
    "check": "read every byte of an index and name files that are damaged or missing",
    "specificity": "measure how much of a layer's pictures is about their maps (slow)",
}
"""Command -> what it does."""
_PROGRAM = "python -m deconv_core"
_PIPE_CLOSED = 141  # the status of a process that SIGPIPE ended
_MOST_NAMED = 50  # skipped files
_MOST_NOTES = 5  # notes about single images


def main(arguments: Sequence[str] | None = None, program: str = _PROGRAM) -> int:
    """Run one command; returns the exit status: 0 done, 1 error, 130 cancelled.

    Args:
        arguments: the command and its arguments; None takes those of this process.
        program: what the person typed to run this program, for help and messages.
    """
    interrupts = Interrupts()
    if isinstance(sys.stdout, io.TextIOWrapper):  # names need not be Unicode
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser(program).parse_args(arguments)
    try:
        status: int = options.run(options, interrupts)
        if sys.stdout is not None:
            sys.stdout.flush()
        if interrupts.cancel.is_set():  # cancelled, but the work had just finished
            status = CANCELLED
    except (CancelledError, KeyboardInterrupt) as error:
        _complain(f"cancelled: {error}" if str(error) else "cancelled")
        return CANCELLED
    except (DeconvError, OSError) as error:
        if _output_closed() and isinstance(error, BrokenPipeError):
            return _PIPE_CLOSED
        if getattr(options, "progress", "") == "json":
            _say_json("error", message=str(error))
        _complain(f"error: {error}".replace(_PROGRAM, program))
        return 1
    return status


def _complain(words: str) -> None:
    """Write an error to standard error, unless that is closed."""
    with suppress(OSError):
        print(words, file=sys.stderr)


def _output_closed() -> bool:
    """True if the reader of standard output has ended, like ``head``; then output is discarded."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        closed = bool(poll.poll(0))
    except (OSError, ValueError, AttributeError):  # no such stream, or no poll on this system
        closed = False
    if closed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return closed


def _parser(program: str = _PROGRAM) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program, description="Scan images, and draw what feature maps respond to."
    )
    parser.set_defaults(run=lambda *_: _help(parser))
    commands = parser.add_subparsers(metavar=" | ".join(COMMANDS))
    _add_scan(commands)
    _add_top(commands)
    _add_check(commands)
    _add_specificity(commands)
    return parser


def _help(parser: argparse.ArgumentParser) -> NoReturn:
    """Print the help if no command was given."""
    parser.print_help()
    parser.exit(2)


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str
) -> argparse.ArgumentParser:
    what = COMMANDS[name].replace("%", "%%")
    return commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")


def _add_scan(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(commands, "scan")
    command.add_argument("images", help="the folder of images, or its address (s3://bucket/photos)")
    command.add_argument(
        "--index", required=True, help="the index folder, or its address; created if missing"
    )
    command.add_argument(
        "--network",
        default="demo",
        help="demo, random, a classifier of torchvision (vgg19, resnet50, resnet50:random), or a "
        ".pth, .safetensors, .npy file",
    )
    command.add_argument(
        "--preprocessing",
        help="preprocessing that the weights expect, if their file implies another one: "
        "torchvision, caffe, caffe-rgb, or 'mean 0.5,0.5,0.5 deviation 0.5,0.5,0.5'",
    )
    command.add_argument("--extensions", help="file types to scan, for example .jpg,.jpeg")
    command.add_argument("--labels", help="first-level folders to scan, separated by commas")
    command.add_argument(
        "--label", action="append", help="a first-level folder to scan (may be repeated)"
    )
    command.add_argument(
        "--resize",
        choices=["stretch", "crop"],
        help="how images become as large as the input (default: as in the index, else stretch)",
    )
    command.add_argument(
        "--value-range",
        choices=["type", "file"],
        help="for images of more than 8 bits: white is the largest value of the type, or the "
        "largest value in the file (default: as in the index, else type)",
    )
    command.add_argument(
        "--within",
        action="append",
        metavar="FOLDER",
        help="follow links only into this folder (may be repeated)",
    )
    command.add_argument(
        "--follow-links",
        action=argparse.BooleanOptionalAction,
        help="follow links to folders, or skip them (default: as in the index, else skip)",
    )
    command.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="auto (the default) takes bfloat16 for more than 1,000 images if it is faster here",
    )
    command.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda", "mps"],
        default="auto",
        help="auto (the default) takes a GPU if its results agree with the CPU's",
    )
    command.add_argument(
        "--compile", action="store_true", help="use torch.compile: starts slowly, for large folders"
    )
    command.add_argument("--block-size", type=int, help="images in a block of the index")
    command.add_argument(
        "--update", action="store_true", help="scan images added or changed since the last scan"
    )
    command.add_argument(
        "--anew",
        action="store_true",
        help="make a new index; the old one stays until the new one is complete",
    )
    command.add_argument(
        "--progress",
        choices=["bar", "json", "none"],
        default="bar",
        help="how progress is shown: a bar (the default), lines of JSON, or not at all",
    )
    command.add_argument(
        "--engine",
        choices=["local", "ray"],
        default="local",
        help="scan in this process (the default), or on a Ray cluster",
    )
    command.add_argument(
        "--address", help="address of the Ray cluster: auto or HOST:PORT (default: this computer)"
    )
    command.add_argument(
        "--workers", type=int, help="number of Ray workers (default: as many as fit)"
    )
    command.add_argument("--cpus", type=int, default=1, help="CPUs of a Ray worker (default: 1)")
    command.add_argument(
        "--gpus", type=int, default=0, help="GPUs of a Ray worker, 0 or 1 (default: 0)"
    )
    command.set_defaults(run=_scan)


def _add_top(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(commands, "top")
    command.add_argument("index", help="the index folder, or its address")
    command.add_argument("--layer", required=True, help="conv1_1 ... conv5_4, pool1 ... pool5")
    command.add_argument("--channel", type=int, help="one feature map, counted from 0")
    command.add_argument("--label", help="only images with this label")
    command.add_argument("--k", type=int, default=9, help="number of activations (default: 9)")
    command.add_argument(
        "--copies",
        action="store_true",
        help="count every copy of an image (files of equal content), not only the first",
    )
    command.add_argument("--images", help="the folder of images, if it was moved since the scan")
    command.add_argument("--network", help="the network, if its file was moved since the scan")
    command.add_argument(
        "--out", default="results", help="folder for the pictures (default: results)"
    )
    command.add_argument(
        "--tile-size", type=int, help="side of a tile in pixels (default: the receptive field)"
    )
    command.add_argument(
        "--scale",
        default="clipped",
        help="clipped (the default: one scale for all tiles, the strongest 1 %% of the pixels "
        "clipped), shared (one scale, nothing clipped), tile (a scale for each tile), or a "
        "percentile such as 99.5 (a scale for each tile, clipped there)",
    )
    command.set_defaults(run=_top)


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(commands, "check")
    command.add_argument("index", help="the index folder, or its address")
    command.add_argument(
        "--repair", action="store_true", help="scan only the damaged parts of the index again"
    )
    command.add_argument("--images", help="the folder of images, if it was moved since the scan")
    command.add_argument("--network", help="the network, if its file was moved since the scan")
    command.set_defaults(run=_check)


def _add_specificity(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = _command(commands, "specificity")
    command.add_argument("index", help="the index folder, or its address")
    command.add_argument(
        "--layer", action="append", help="a layer (may be repeated; default: all layers)"
    )
    command.add_argument(
        "--pairs", type=int, default=64, help="maps of a layer, each with one image (default: 64)"
    )
    command.add_argument(
        "--out", help="the CSV file to write, or to continue (default: print the table)"
    )
    command.add_argument("--seed", type=int, default=0, help="seed of every choice (default: 0)")
    command.add_argument("--images", help="the folder of images, if it was moved since the scan")
    command.add_argument("--network", help="the network, if its file was moved since the scan")
    command.set_defaults(run=_specificity)


def _scan(options: argparse.Namespace, interrupts: Interrupts) -> int:
    images = deconv_core.ImageFolder(
        options.images,
        extensions=None if options.extensions is None else options.extensions.split(","),
        labels=_labels(options.labels, options.label),
        within=options.within,
        **_image_options(options),
    )
    if options.progress != "json":
        _say_listed(images)
    network = _load(options.network, options.preprocessing, options.progress, interrupts)
    if options.progress != "json":
        print(_preprocessing_line(network, network.preprocessing_reason))
    try:
        with interrupts.leaving_in_order():
            index = deconv_core.scan(
                network,
                images,
                options.index,
                precision=options.precision,
                device=options.device,
                compiled=options.compile,
                block_size=options.block_size,
                progress=_scan_reporter(options.progress),
                cancel=interrupts.cancel,
                update=options.update,
                anew=options.anew,
                engine=_engine(options),
            )
    except KeyboardInterrupt:  # the scan did not stop in time
        folder = _folder_being_scanned(options)
        if not folder.exists():
            raise
        index = deconv_core.ActivationIndex.open(folder.path)
    if options.progress == "bar" and sys.stderr.isatty():
        print(file=sys.stderr)
    failed = index.images[index.images["error"] != ""]
    if options.progress == "json":
        counts = {"images": len(index.images), "failed": len(failed)}
        left_out = {"passed_over": index.manifest.passed_over, "message": _skipped_line(images)}
        _say_json("end", complete=index.complete, **counts, **left_out)
    else:
        print(f"{len(index.images):,} of {index.total:,} images are in {_place(options, index)}")
        for row in failed.itertuples():
            print(f"not read: {row.image_id!a}: {row.error}")
        _say_skipped(images)
        _say_copies(index)
        _say_notes(index)
        _say_dead_maps(index)
    return 0 if index.complete else CANCELLED


def _image_options(options: argparse.Namespace) -> dict[str, Any]:
    """Options of ``ImageFolder`` from the command line, else those of the index."""
    names = "resize", "value_range", "follow_links"
    given = {name: found for name in names if (found := getattr(options, name)) is not None}
    stored: dict[str, Any] = {}
    with suppress(DeconvError):  # the scan reports a damaged manifest
        manifest = _folder_being_scanned(options).read_manifest()
        stored = {name: getattr(manifest, name) for name in names}
    return stored | given


def _folder_being_scanned(options: argparse.Namespace) -> IndexFolder:
    """The index, or the unfinished new one that will replace it."""
    from deconv_core.index.folder import IndexFolder

    folder = IndexFolder(options.index)
    return folder.anew if options.anew and folder.has_anew() else folder


def _place(options: argparse.Namespace, index: ActivationIndex) -> str:
    """The index in words; for an unfinished ``--anew``, how to resume it."""
    if not options.anew or index.complete:
        return str(options.index)
    return f"a new index beside {options.index}, which is kept; the same command resumes the scan"


def _say_copies(index: ActivationIndex) -> None:
    """Print the number of copies, and the names of a few."""
    from deconv_core.index.copies import copies_text, groups_text

    if groups := index.equal_images:
        print(f"{copies_text(groups)}: {groups_text(groups, name=ascii)}")


def _say_notes(index: ActivationIndex) -> None:
    """Print notes about pictures that look nearly black or white, and advice."""
    if not index.notes:
        return
    for image_id, note in list(index.notes.items())[:_MOST_NOTES]:
        print(f"note: {image_id!a}: {note}")
    several = f"{len(index.notes):,} images have" if len(index.notes) > 1 else "1 image has"
    print(
        f"note: {several} values that fill little of their range, or are outside it; use "
        "--value-range file, with --anew or another --index, to stretch each picture to its range"
    )


def _say_dead_maps(index: ActivationIndex) -> None:
    """Print the layers in which many maps never fire, and likely reasons."""
    from deconv_core.index.dead_maps import dead_maps_sentence, layers_with_many_dead_maps

    if index.complete and (found := layers_with_many_dead_maps(index)):
        print(f"note: {dead_maps_sentence(index, found)}")


def _say_listed(images: ImageFolder) -> None:
    """Print the labels that no image has, and a line about what was skipped."""
    if absent := ", ".join(f"{label!a}" for label in images.absent_labels):
        used = ", ".join(f"{label!a}" for label in images.labels) or "none of the given labels"
        print(f"no image has the label {absent}; used: {used}")
    if line := _skipped_line(images):
        print(line)


def _skipped_line(images: ImageFolder) -> str:
    """One line about what was skipped; "" without any image, because the error says it then."""
    from deconv_core.images.passed_over import skipped_line

    line = skipped_line(images.passed_over, "--follow-links follows links to folders")
    return _printable(line) if len(images) else ""


def _say_skipped(images: ImageFolder) -> None:
    """Print the names of skipped files with reasons; hidden files and other types are left out."""
    from deconv_core.images.passed_over import HIDDEN

    named = [skipped for skipped in images.skipped if skipped.kind != HIDDEN]
    for skipped in named[:_MOST_NAMED]:
        print(f"skipped: {skipped.name!a}: {skipped.reason}")
    if len(named) > _MOST_NAMED:
        print(f"skipped: {len(named) - _MOST_NAMED:,} more")


def _printable(text: str) -> str:
    """The text with escapes for characters that the terminal cannot show."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _labels(listed: str | None, single: Sequence[str] | None) -> list[str] | None:
    """The labels of ``--labels`` and ``--label``; None for all."""
    if listed is None and single is None:
        return None
    return [*(listed.split(",") if listed is not None else []), *(single or [])]


def _engine(options: argparse.Namespace) -> RayEngine | None:
    if options.engine == "local":
        return None
    from deconv_core.scanning.ray_engine import RayEngine

    return RayEngine(options.address, options.workers, options.cpus, options.gpus)


def _top(options: argparse.Namespace, interrupts: Interrupts) -> int:
    from deconv_core.export import provenance
    from deconv_core.output.rendering import check_tile
    from deconv_core.output.result_files import ResultFiles
    from deconv_core.scanning.plan import scanned_folder

    check_tile("patch", options.tile_size)
    deconv_core.Scale.named(options.scale, ())
    index = deconv_core.ActivationIndex.open(options.index)
    made = index.manifest
    images = scanned_folder(_images_of(options, index.image_root), made)
    _say_listed(images)
    asked = options.layer, options.channel, options.label
    files = ResultFiles.of(options.out, *asked, images.root, copies=options.copies)
    network = _load(_network_of(options, made), made.preprocessing, "bar", interrupts)
    print(_preprocessing_line(network, "the scan used it"))
    top = deconv_core.exact_top(
        *(network, images, index, options.layer, options.channel, options.k, options.label),
        copies=options.copies,
    )
    if not top:
        none = f"none of the {len(index.images):,} images activates it"
        print(f"{files.stem}: {none}; nothing to draw")
        return 0
    pictures = deconv_core.reconstruct(
        network,
        images,
        top,
        progress=_bar("reconstructing"),
        scanned=index.content_hashes(found.image_id for found in top),
    )
    scale = deconv_core.Scale.named(options.scale, pictures)
    behind = index.copies_behind(top, options.label, copies=options.copies)
    table = deconv_core.activation_table(pictures, copies=behind)
    grids = {
        "feat": deconv_core.compose_grid(pictures, scale=scale, tile_size=options.tile_size),
        "im": deconv_core.compose_grid(pictures, "patch", scale=scale, tile_size=options.tile_size),
    }
    with interrupts.leaving_in_order():
        files.write(grids, table, provenance(network, images, images.root.name))
    print(table.drop(columns="copy_ids", errors="ignore").to_string(index=False))
    print(f"{files.folder / files.stem}_feat.png, _im.png, .csv: {scale.caption}")
    if len(top) < options.k:
        images_in_all = f"{len(index.images):,} images"
        if behind is not None:
            images_in_all = f"{index.counted(options.label):,} different images"
        print(f"it fires in {len(top)} of {images_in_all}")
    if not index.complete:
        print(f"the scan is unfinished: {len(index.images):,} of {index.total:,} images")
    return 0


def _check(options: argparse.Namespace, interrupts: Interrupts) -> int:
    from deconv_core.index.inspection import check_index

    findings = check_index(options.index)
    for finding in findings:
        print(f"error: {finding.reason}", file=sys.stderr)
    if findings and options.repair:
        _repair(options, interrupts)
        findings = check_index(options.index)
    if findings:
        print(f"{options.index}: files with errors: {len(findings)}", file=sys.stderr)
        return 1
    print(f"no errors in {options.index}")
    return 0


def _repair(options: argparse.Namespace, interrupts: Interrupts) -> None:
    """Scan the damaged parts of an index again, with the settings of its manifest."""
    from deconv_core.index.folder import IndexFolder
    from deconv_core.scanning.plan import scanned_folder
    from deconv_core.scanning.scan import scan

    folder = IndexFolder(options.index)
    made = folder.read_manifest()
    images = scanned_folder(_images_of(options, folder.image_root(made)), made)
    _say_listed(images)
    network = _load(_network_of(options, made), made.preprocessing, "bar", interrupts)
    with interrupts.leaving_in_order():
        index = scan(
            *(network, images, folder.path),
            progress=_scan_reporter("bar"),
            cancel=interrupts.cancel,
        )
    if not index.complete:
        raise CancelledError(f"{len(index.images):,} of {index.total:,} images are in the index")
    if sys.stderr.isatty():
        print(file=sys.stderr)


def _specificity(options: argparse.Namespace, interrupts: Interrupts) -> int:
    """Print the table as CSV, or write it."""
    from deconv_core.arguments import whole_number
    from deconv_core.output.tables import table_csv
    from deconv_core.scanning.plan import scanned_folder
    from deconv_core.specificity.layer_sample import measure_layers

    whole_number("--pairs", options.pairs, 1), whole_number("--seed", options.seed)
    index = deconv_core.ActivationIndex.open(options.index)
    made = index.manifest
    images = scanned_folder(_images_of(options, index.image_root), made)
    network = _load(_network_of(options, made), made.preprocessing, "bar", interrupts)
    layers = options.layer or [name for name in index.layers if name not in network.unusable]
    with interrupts.leaving_in_order():
        table = measure_layers(
            *(network, images, index, layers, options.out and Path(options.out)),
            pairs=options.pairs,
            seed=options.seed,
            progress=_bar("measuring"),
            cancel=interrupts.cancel,
        )
    if options.out is None:
        print(table_csv(table), end="")
    return 0


def _images_of(options: argparse.Namespace, scanned: Location) -> Location:
    """The folder of ``--images``, else the one that was scanned."""
    from deconv_core.storage import location

    return scanned if options.images is None else location(options.images)


def _network_of(options: argparse.Namespace, made: Manifest) -> str:
    """The network of ``--network``, else the one of the scan."""
    return made.network if options.network is None else str(options.network)


def _load(source: str, preprocessing: str | None, progress: str, interrupts: Interrupts) -> Network:
    from deconv_core.typed_paths import file_address_path

    def report(done: int, total: int) -> None:
        if progress == "json":
            _say_json("download", done=done, total=total)
        elif progress == "bar":
            _draw_bar("downloading weights", done, total, f"{done / 1e6:,.0f} MB")

    path = file_address_path(source) or source
    return deconv_core.load_network(path, preprocessing, progress=report, cancel=interrupts.cancel)


def _preprocessing_line(network: Network, reason: str) -> str:
    made = network.preprocessing
    return f"preprocessing: {made.name} ({made.words}), because {reason}"


def _scan_reporter(kind: str) -> Callable[[ScanProgress], None] | None:
    if kind == "none":
        return None
    if kind == "json":
        return lambda progress: _say_json("scan", **asdict(progress))

    def draw(progress: ScanProgress) -> None:
        left = "" if progress.seconds_left is None else f", {progress.seconds_left:,.0f} s left"
        found = f", {progress.found:,} already scanned" if progress.found else ""
        failed = f", {progress.failed:,} not read" if progress.failed else ""
        text = f"{progress.images_per_second:.1f} images/s{left}{found}{failed}"
        _draw_bar("scanning", progress.done, progress.total, text)

    return draw


def _bar(what: str) -> Callable[[int, int], None]:
    def draw(done: int, total: int) -> None:
        _draw_bar(what, done, total, "")
        if done == total and sys.stderr.isatty():
            print(file=sys.stderr)

    return draw


def _draw_bar(what: str, done: int, total: int, text: str) -> None:
    """Draw a line of progress over the last one; does nothing if there is no terminal."""
    if not sys.stderr.isatty():
        return
    filled = 24 * done // max(total, 1)
    bar = "#" * filled + "." * (24 - filled)
    print(f"\r{what} [{bar}] {done:,}/{total:,} {text}\x1b[K", end="", file=sys.stderr, flush=True)


def _say_json(event: str, **fields: object) -> None:
    """Print a line of JSON; nothing if it cannot be written (a full disk, a closed pipe)."""
    with suppress(OSError):
        print(json.dumps({"event": event, **fields}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
