"""The command line: a thin layer over the Python API."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from nn_parity import errors
from nn_parity.crew import TIMEOUT
from nn_parity.errors import Refusal

# typer brings click or a copy of it; this is ClickException in either
_ClickException: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="nn-parity",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="""The same network in NumPy, PyTorch, Keras and JAX: same initial weights, and
the numbers compared.

Start with `nn-parity compare`: it trains 784-16-16-10 on handwritten digits in all four
and shows where they agree, how fast they are and how accurate.""",
)

_SOME = (
    "Some of scratch,torch,keras,jax (numpy, pytorch, tf mean the same). "
    "scratch is the reference and always runs."
)
_MORE = " keras-jax and keras-torch, Keras on these backends, run only if named."
Frameworks = Annotated[str | None, typer.Option(help=_SOME + _MORE, metavar="A,B")]
Four = Annotated[str | None, typer.Option(help=_SOME, metavar="A,B")]
Dtype = Annotated[str, typer.Option(help="float64, float32 or both.")]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder of the run. Default: a new one in results/runs."),
]
OutFile = Annotated[
    str, typer.Option("--out", "-o", help="File to write; - is standard output.")
]
Force = Annotated[bool, typer.Option(help="Replace an existing file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Data = Annotated[
    Path | None,
    typer.Option(help="Folder with idx files (MNIST, Fashion-MNIST, your own)."),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Change the recipe, as often as you like: --set hidden=8 "
        "--set activation=tanh --set lr=0.1",
        metavar="KEY=VALUE",
    ),
]
PartOption = Annotated[
    str | None,
    typer.Option(
        help="Of an experiment with several parts, such as gru of digits-rows; the first "
        "that is trained if none is named."
    ),
]
Timeout = Annotated[
    float, typer.Option(help="Seconds until a worker counts as hanging.")
]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Networks, experiments, frameworks and data sets, and what is installed."""
    from nn_parity import listing

    if as_json:
        typer.echo(json.dumps(listing.everything(), indent=1))
    else:
        _console().print(*listing.terminal(), sep="\n")


@app.command()
def compare(
    experiments: Annotated[
        list[str] | None, typer.Argument(help="Experiments; digits if none is named.")
    ] = None,
    frameworks: Frameworks = None,
    dtype: Dtype = "both",
    data: Data = None,
    weights: Annotated[
        Path | None, typer.Option(help="Initial weights: a file of `weights export`.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights and order of examples.")] = 0,
    seeds: Annotated[
        int, typer.Option(help="Train from so many seeds: --seed, the next, ...")
    ] = 1,
    settings: Set = None,
    out: Out = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted run in --out.")
    ] = False,
    speed: Annotated[bool, typer.Option(help="Measure times, or do not.")] = True,
    threads: Annotated[int, typer.Option(help="Threads of each framework.")] = 1,
    timeout: Timeout = TIMEOUT,
    as_json: Json = False,
) -> None:
    """Train the same network in all frameworks from the same weights, and compare.

    Three tables come out: parity (do the numbers agree, in units of roundoff), speed and
    accuracy; figures and raw numbers lie in the folder named at the end.
    """
    from nn_parity import runs
    from nn_parity.experiments import DEFAULT

    with _progress() as say:
        run = runs.compare(
            experiments or DEFAULT,
            frameworks=frameworks,
            dtype=dtype,
            data=data,
            weights=weights,
            epochs=epochs,
            seed=seed,
            seeds=seeds,
            settings=_pairs(settings),
            out=out,
            resume=resume,
            speed=speed,
            threads=threads,
            timeout=timeout,
            say=say,
        )
    _show(run, as_json)


@app.command()
def parity(
    networks: Annotated[
        list[str] | None, typer.Argument(help="Networks; all if none is named.")
    ] = None,
    blocks: Annotated[
        bool,
        typer.Option(
            "--blocks", help="Activations, layers, losses, penalties and optimizers."
        ),
    ] = False,
    optimized: Annotated[
        bool,
        typer.Option(
            "--optimized",
            help="Let XLA optimize JAX's code, as elsewhere; takes twice as long.",
        ),
    ] = False,
    frameworks: Frameworks = None,
    dtype: Dtype = "both",
    out: Out = None,
    timeout: Timeout = TIMEOUT,
    as_json: Json = False,
) -> None:
    """Numerical agreement only, at tiny sizes: no data set, no training to wait for."""
    from nn_parity import runs

    with _progress() as say:
        run = runs.parity(
            networks or None,
            blocks=blocks,
            optimized=optimized,
            frameworks=frameworks,
            dtype=dtype,
            out=out,
            timeout=timeout,
            say=say,
        )
    _show(run, as_json)


@app.command()
def bench(
    experiments: Annotated[
        list[str] | None, typer.Argument(help="Experiments; digits if none is named.")
    ] = None,
    part: PartOption = None,
    frameworks: Frameworks = None,
    dtype: Dtype = "float32",
    variants: Annotated[
        str | None,
        typer.Option(
            help="Further ways to run an epoch, which compile for long: all, or some of "
            "torch-compile,keras-jit.",
            metavar="A,B",
        ),
    ] = None,
    scaling: Annotated[
        str | None,
        typer.Option(
            help="Also time over sizes, with 1 and 2 threads: all, or some of "
            "batch_size,hidden,length.",
            metavar="A,B",
        ),
    ] = None,
    launches: Annotated[int, typer.Option(help="Generations of processes.")] = 5,
    rounds: Annotated[int, typer.Option(help="Slices of each cell in a launch.")] = 31,
    quick: Annotated[
        bool, typer.Option("--quick", help="A first look for a class, in seconds.")
    ] = False,
    data: Data = None,
    seed: Annotated[int, typer.Option(help="Of weights and order of examples.")] = 0,
    settings: Set = None,
    out: Out = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted run in --out.")
    ] = False,
    threads: Annotated[int, typer.Option(help="Threads of each framework.")] = 1,
    timeout: Timeout = TIMEOUT,
    as_json: Json = False,
) -> None:
    """Time training and prediction so that the figures can be cited.

    Processes of all frameworks take turns, in random order, in several launches; each time
    is compared with scratch's of the same round. Some minutes an experiment; leave the
    machine alone meanwhile. docs/benchmarking.md says how to read the tables.
    """
    from nn_parity import runs
    from nn_parity.experiments import DEFAULT

    with _progress() as say:
        run = runs.bench(
            experiments or DEFAULT,
            part=part,
            frameworks=frameworks,
            dtype=dtype,
            variants=variants,
            scaling=scaling,
            launches=launches,
            rounds=rounds,
            quick=quick,
            data=data,
            seed=seed,
            settings=_pairs(settings),
            out=out,
            resume=resume,
            threads=threads,
            timeout=timeout,
            say=say,
        )
    _show(run, as_json)


@app.command()
def atlas(
    topic: Annotated[
        str | None,
        typer.Argument(help="A topic such as optimizers, or a row such as O04."),
    ] = None,
    frameworks: Four = None,
    format: Annotated[str, typer.Option(help="text, md, tex, csv or html.")] = "text",
    out: OutFile = "-",
    force: Force = False,
    timeout: Timeout = TIMEOUT,
    as_json: Json = False,
) -> None:
    """Where frameworks diverge, measured: naively, and with the setting that aligns them.

    Each row is run in every framework, here and now. Exit code 1 if sides that should
    agree do not.
    """
    from nn_parity import atlas as rows
    from nn_parity import tables

    tables.check_format(format, ("text", *tables.FORMATS))
    with _progress() as say:
        frame = rows.atlas(topic, frameworks, timeout=timeout, say=say)
    if as_json:
        _deliver(frame.to_json(orient="records", indent=1) + "\n", out, force)
    elif format == "text":
        console = _console(plain=out != "-")
        with console.capture() as text:
            console.print(*rows.terminal(frame), sep="\n", markup=False)
        _deliver(text.get(), out, force)
    else:
        _deliver(tables.as_text(frame, format, rows.captions()), out, force)
    raise typer.Exit(rows.exit_code(frame, frameworks))


@app.command()
def show(
    network: Annotated[str, typer.Argument(help="A network of `nn-parity list`.")],
    frameworks: Four = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page instead, to read in a browser.")
    ] = None,
) -> None:
    """The sources of one network side by side."""
    from nn_parity import files, registry
    from nn_parity import show as sources

    chosen = registry.canonical(frameworks, registry.FRAMEWORKS)
    if html is None:
        _console().print(sources.terminal(network, chosen))
        return
    page = sources.html(network, chosen)
    files.writable_folder(html.parent)
    files.write_text(html, page)
    typer.echo(str(html))


@app.command()
def predict(
    experiment: Annotated[str, typer.Argument(help="An experiment.")],
    given: Annotated[
        list[str],
        typer.Option(
            "--input",
            help="Numbers such as -7,0, or test:17 for a row of the test set; repeat it "
            "for more.",
            metavar="X",
        ),
    ],
    weights: Annotated[
        Path | None, typer.Option(help="A weight file; trained on the spot if none.")
    ] = None,
    frameworks: Frameworks = None,
    data: Data = None,
    settings: Set = None,
    seed: Annotated[int, typer.Option(help="Of the training on the spot.")] = 0,
    as_json: Json = False,
) -> None:
    """Predict with the same weights in every framework."""
    from nn_parity import predicting

    with _progress() as say:
        table = predicting.predict(
            experiment,
            given,
            weights=weights,
            frameworks=frameworks,
            data=data,
            settings=_pairs(settings),
            seed=seed,
            say=say,
        )
    if as_json:
        typer.echo(table.to_json(orient="records", indent=1))
    else:
        from nn_parity import tables

        _console().print(tables.rich_table(table, f"Predictions of {experiment}"))


@app.command()
def trace(
    experiment: Annotated[
        str, typer.Argument(help="An experiment with a neuron or a small mlp.")
    ],
    step: Annotated[int, typer.Option(help="Which training step; 0 is the first.")] = 0,
    part: PartOption = None,
    weights: Annotated[
        Path | None, typer.Option(help="Initial weights: a file of `weights export`.")
    ] = None,
    frameworks: Frameworks = None,
    data: Data = None,
    settings: Set = None,
    seed: Annotated[
        int, typer.Option(help="Of weights and order.", min=0, max=2**32 - 1)
    ] = 0,
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    format: Annotated[str, typer.Option(help="text, html, csv, md or tex.")] = "text",
    out: OutFile = "-",
    force: Force = False,
    as_json: Json = False,
) -> None:
    """One training step in full, a column for each framework.

    Every z, activation, local derivative, gradient, chain-rule product and new weight, with
    the numbers of the equations in the network's docstring.
    """
    from nn_parity import tables, trace_page, tracing

    tables.check_format(format, trace_page.FORMATS)
    with _progress() as say:
        taken = tracing.taken_apart(
            experiment,
            step=step,
            part=part,
            weights=weights,
            frameworks=frameworks,
            data=data,
            settings=_pairs(settings),
            seed=seed,
            dtype=dtype,
            say=say,
        )
    if as_json:
        _deliver(json.dumps(trace_page.plain(taken), indent=1) + "\n", out, force)
    elif format == "text":
        text = trace_page.printed(taken, _console(plain=out != "-"))
        _deliver(text, out, force)
    else:
        _deliver(trace_page.as_text(taken, format), out, force)
    raise typer.Exit(taken.exit_code)


weights_app = typer.Typer(help="Exchange weights: .npz or .csv.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")


@weights_app.command("export")
def export(
    source: Annotated[
        str,
        typer.Argument(help="An experiment (its initial weights) or a run's folder."),
    ],
    to: Annotated[Path, typer.Option(help="File to write: .npz or .csv.")],
    framework: Annotated[str, typer.Option(help="Whose trained weights.")] = "scratch",
    part: PartOption = None,
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    seed: Annotated[int, typer.Option(help="Of initial weights.")] = 0,
    settings: Set = None,
    data: Data = None,
    force: Force = False,
) -> None:
    """Write initial weights of an experiment, or trained weights of a run."""
    from nn_parity import exchange

    typer.echo(
        exchange.export(
            source,
            to,
            framework=framework,
            part=part,
            dtype=dtype,
            seed=seed,
            settings=_pairs(settings),
            data=data,
            force=force,
        )
    )


@weights_app.command("check")
def check(
    path: Annotated[Path, typer.Argument(help="A weight file.")],
    experiment: Annotated[
        str | None, typer.Option(help="Experiment that it should fit.")
    ] = None,
) -> None:
    """Say what a weight file holds, or what is wrong with it."""
    from nn_parity import exchange

    for line in exchange.check(path, experiment):
        typer.echo(line)


@app.command()
def table(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    kind: Annotated[
        str,
        typer.Option(
            help="summary, parity, cases, parameters, speed, accuracy, seeds (accuracy "
            "over seeds), or another that the run has."
        ),
    ] = "summary",
    format: Annotated[
        str,
        typer.Option(help="md, tex, csv or html; bibtex for an entry that cites it."),
    ] = "md",
    against: Annotated[
        Path | None,
        typer.Option(help="Another benchmark: how far apart are the two's ratios?"),
    ] = None,
    out: OutFile = "-",
    force: Force = False,
) -> None:
    """A table of a run as Markdown, LaTeX, CSV or HTML, ready to be cited.

    It carries an id (of its csv form), units, versions, machine, date, commit and command.
    """
    from nn_parity import results, tables

    found = results.open_run(run)
    if against:
        text = tables.against(found, results.open_run(against), format)
    else:
        text = found.table(kind, format=format)
    _deliver(text, out, force)


@app.command()
def verify(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    table: Annotated[
        Path | None, typer.Option(help="A file that `table` made of this run.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a run's tables anew from its raw records, and name each cell that was edited.

    Exit code 6 if anything is not as the run wrote it.
    """
    from nn_parity import verifying

    report = verifying.verify(run, table=table)
    if as_json:
        typer.echo(json.dumps(report.plain(), indent=1))
    else:
        for line in report.lines():
            typer.echo(line)
    raise typer.Exit(report.exit_code)


@app.command()
def publish(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    to: Annotated[Path, typer.Option(help="Folder to write.")],
    force: Annotated[bool, typer.Option(help="Replace the folder.")] = False,
) -> None:
    """Make of a run what is committed and cited: tables, figures, compressed records.

    The run is verified first; the folder can be verified as a run can.
    """
    from nn_parity import publishing

    typer.echo(str(publishing.publish(run, to, force=force)))


@app.command()
def plot(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the pictures; the run's by default.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="One figure, such as loss, confusion, network or speed."),
    ] = None,
) -> None:
    """Draw the figures of a run again, as SVG and PNG."""
    from nn_parity import manifest, pictures, results

    drawn = pictures.draw(results.open_run(run), out, kind)
    if out is None:
        manifest.renew(run, drawn)
    for path in drawn:
        typer.echo(str(path))


@app.command()
def mutants(
    frameworks: Four = None,
    network: Annotated[
        str | None, typer.Option(help="Only bugs in files of this name, such as lstm.")
    ] = None,
    out: Out = None,
) -> None:
    """Try the deliberate bugs: each must be noticed by a check, or the suite is blind.

    Runs the checks of the tests, so it needs a source checkout and the test extra. Takes
    some minutes.
    """
    from nn_parity import crew, registry, runs
    from nn_parity import mutants as bugs

    bugs.require_source()
    wanted = registry.canonical(frameworks, registry.FRAMEWORKS)
    present, absent = crew.available(wanted)
    for reason in absent.values():
        typer.echo(reason, err=True)
    chosen = bugs.listed(present)
    chosen = [m for m in chosen if network is None or Path(m.file).stem == network]
    if not chosen:
        raise Refusal("E003", "no mutant selected", "--network", "leave it out")
    with _progress() as say:
        reference = runs.parity(registry.networks(), blocks=True, out=out, say=say)
    if reference.exit_code == errors.PARITY_FAILED:
        raise Refusal(
            "E401",
            "the healthy code fails already",
            str(reference.path),
            "make nn-parity parity pass first",
        )
    console = _console()

    def tell(verdict: bugs.Verdict) -> None:
        fate = f"killed by {verdict.killed_by}" if verdict.killed_by else "SURVIVED"
        where = f"{verdict.mutant.path}: {verdict.mutant.what}"
        console.print(f"{fate:<30} {where}", markup=False, soft_wrap=True)

    verdicts = bugs.run(chosen, reference.path, tell)
    killed = sum(bool(v.killed_by) for v in verdicts)
    console.print(f"{killed} of {len(verdicts)} mutants killed")
    raise typer.Exit(errors.OK if killed == len(verdicts) else errors.PARITY_FAILED)


data_app = typer.Typer(help="Data sets, without a network.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@data_app.command("status")
def status(as_json: Json = False) -> None:
    """Which data sets there are, and where they were found."""
    from nn_parity import datasets, listing

    if as_json:
        typer.echo(json.dumps(datasets.status(), indent=1, default=str))
    else:
        _console().print(listing.data_table(verify=True))


@data_app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="Folder or file with idx data.")],
) -> None:
    """Check idx files and keep a copy where every later run finds them."""
    from nn_parity import datasets

    typer.echo(str(datasets.import_path(path)))


# -- the frame around every command ------------------------------------------------------


def _pairs(settings: list[str] | None) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in settings or []:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise Refusal("E005", f"'{text}' is no setting", "--set", "write KEY=VALUE")
        if key in pairs:
            raise Refusal("E005", f"'{key}' is set twice", "--set", "set it once")
        pairs[key] = value.strip()
    return pairs


def _console(stderr: bool = False, plain: bool = False) -> Any:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    if plain or not console.is_terminal:
        terminal = False if plain else None  # None: as the stream is
        console = Console(
            stderr=stderr, highlight=False, width=160, force_terminal=terminal
        )
    return console


def _deliver(text: str, out: str, force: bool) -> None:
    """Print a text, or write it to a file that is not there yet."""
    from nn_parity import files

    if out == "-":
        typer.echo(text, nl=False)
        return
    path = Path(out)
    if path.exists() and not force:
        raise Refusal("E014", "file exists", out, "add --force to replace it")
    files.writable_folder(path.parent)
    files.write_text(path, text)
    typer.echo(out, err=True)


def _progress() -> Any:
    from nn_parity import progress

    return progress.live(_console(stderr=True))


def _show(run: Any, as_json: bool) -> None:
    from nn_parity import tables

    if as_json:
        typer.echo(json.dumps(tables.as_json(run), indent=1))
    else:
        console = _console()
        for shown in tables.terminal(run):
            console.print(shown)
        for line in tables.captions(run):
            console.print(line, markup=False)
        for line in tables.verdict(run):
            console.print(line, markup=False)
    raise typer.Exit(run.exit_code)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: refusals become one line on standard error and an exit code."""
    argv = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in argv
    argv = [a for a in argv if a != "--debug"]
    code = errors.OK
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        code = app(argv, standalone_mode=False) or errors.OK
    except Refusal as refusal:
        if debug:
            raise
        code = _refuse(refusal, "--json" in argv)
    except (typer.Abort, KeyboardInterrupt):
        code = errors.INTERRUPTED
    except _ClickException as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context else "nn-parity"
        said = Refusal("E000", error.format_message(), where, f"see {where} --help")
        code = _refuse(said, "--json" in argv)
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
    if code == errors.INTERRUPTED:
        resumable = argv[:1] in (["compare"], ["bench"])
        hint = ": --resume --out DIR goes on with the run" if resumable else ""
        typer.echo(f"interrupted{hint}", err=True)
    sys.exit(code)


def _refuse(refusal: Refusal, as_json: bool) -> int:
    if as_json:
        said = {"code": refusal.code, "what": refusal.what}
        said |= {"where": refusal.where, "fix": refusal.fix}
        typer.echo(json.dumps({"error": said}), err=True)
    else:
        typer.echo(str(refusal), err=True)
    return refusal.exit_code


if __name__ == "__main__":
    main()
