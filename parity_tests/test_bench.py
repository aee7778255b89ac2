"""The harness that times: what is unfair is caught, what is measured is not lost.

Most tests run it on a clock that only moves when a fake adapter says so: no test depends
on how busy this machine is.
"""

import gc
import json
import math
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from nn_parity import (
    bench,
    benching,
    jobs,
    memory,
    recipes,
    registry,
    results,
    samples,
    verifying,
)
from nn_parity.benching import (
    checks,
    entries,
    intervals,
    journal,
    measuring,
    products,
    running,
    scaling,
    slices,
)
from nn_parity.benching.entries import Entry
from nn_parity.benching.journal import Journal
from nn_parity.benching.measuring import Borrowed, Fresh, Plan
from nn_parity.crew import Failure, Worker
from nn_parity.errors import Refusal
from parity_tests.conftest import INSTALLED, ROOT
from scratch.adapter import Adapter as ScratchAdapter

PLAN = Plan(launches=5, rounds=31, least=31)
DTYPE = "float64"


def hiring(**changes):
    return recipes.cases("hiring", changes=changes, seed=0)[0][0]


class Clock:
    """Time that passes when someone computes, or waits."""

    def __init__(self):
        self.now = self.used = 0.0

    def wall(self):
        return self.now

    def cpu(self):
        return self.used

    def compute(self, seconds, threads=1):
        self.now += seconds
        self.used += seconds * threads

    def wait(self, seconds):
        self.now += seconds


class Fake:
    """An adapter whose steps cost what it is told, and that moves its weights.

    Parameters
    ----------
    step : float
        Seconds of a step.
    sleep, late : float
        Seconds that each call waits; seconds of a step that are left undone until
        somebody reads the weights.
    anew : float
        Seconds of compiling, in the first call after weights are loaded.
    every : int
        How many functions a call compiles.
    """

    def __init__(
        self, step=1e-3, *, sleep=0.0, late=0.0, anew=0.0, every=0, threads=1, work=1.0
    ):
        self.costs = step, sleep, late
        self.anew, self.every, self.threads, self.work = anew, every, threads, work
        self.compilations = self.loads = 0
        rng = np.random.default_rng(0)
        self.factor = lambda: rng.normal(1, 0.01)  # no two steps take as long

    def place(self, clock):
        self.clock, self.left = clock, 0.0
        return self

    def load(self, params, state):
        self.params, self.fresh = dict(params), True
        self.loads += 1

    def export(self):
        self.clock.compute(self.left)
        self.left = 0.0
        return self.params, {}

    def put(self, data):
        return dict(data)

    def _steps(self, count):
        step, sleep, late = self.costs
        self.clock.compute((step - late) * count * self.factor(), self.threads)
        self.left += late * count
        self.clock.wait(sleep)
        if self.fresh:
            self.clock.compute(self.anew)
            self.fresh = False
        self.compilations += self.every
        moved = 1e-3 * self.work * count
        self.params = {name: value + moved for name, value in self.params.items()}
        return {"loss": np.ones(1)}

    def run_epoch(self, data, order, noise, lr, *, variant):
        return self._steps(-(-len(order) // 1))

    def step(self, batch, *, lr):
        return self._steps(1)

    def forward(self, batch, *, train):
        self._steps(1)
        return {"prediction": np.full((len(batch["x"]), 1), self.work)}


class Process:
    """What a worker does, here and on the given clock."""

    def __init__(self, framework, clock):
        self.framework, self.clock, self.timers = framework, clock, {}
        self.peak_rss_mib = 50.0

    def run(self, ask):
        key = ask["kind"] if ask["kind"] == slices.PEAK else ""
        if key not in self.timers:
            case = hiring()
            self.timers[key] = slices.Timer(
                case, self.framework, DTYPE, steps=ask["steps"], clock=self.clock
            )
        timer = self.timers[key]
        if ask["op"] == "load":
            return timer.loaded()
        return (timer.warm if ask["op"] == "warm" else timer.slice)(
            ask["kind"], ask["variant"]
        )


def entry(framework, kind="train-epoch", variant="lean", **more):
    return Entry(hiring(), framework, DTYPE, kind, variant, 1, **more)


@pytest.fixture
def timed(tmp_path, monkeypatch):
    """Time fake frameworks; return the rows of the table, by framework."""

    def run(kind="train-epoch", variant="lean", plan=PLAN, **fakes):
        clock = Clock()
        fakes = {"scratch": Fake()} | fakes
        monkeypatch.setattr(gc, "collect", lambda: 0)  # pytest has much to look at
        monkeypatch.setattr(registry, "network_module", lambda *names: None)
        monkeypatch.setattr(
            registry, "build", lambda name, case, dtype: fakes[name].place(clock)
        )
        group = [entry(framework, kind, variant) for framework in fakes]
        log = Journal.open(tmp_path)
        for launch in range(plan.launches):
            there = {name: Process(name, clock) for name in fakes}
            measuring.measure(
                group,
                Borrowed(lambda e, there=there: there[e.framework]),
                log,
                plan,
                launch=launch,
            )
        log.close()
        table = benching.rows(samples.read(tmp_path / journal.FILE))
        return {row["framework"]: row for row in table}

    return run


# -- what is unfair ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "variant"),
    [
        ("train-epoch", "lean"),
        ("train-epoch", "idiomatic"),
        ("train-step", "step"),
        ("inference", "batch-1"),
    ],
)
def test_a_fair_race_has_its_ratio_and_no_flag(timed, kind, variant):
    rows = timed(kind, variant, torch=Fake(2e-3))
    if variant == "idiomatic":  # compared with scratch's lean loop, which is not there
        assert rows["torch"]["ratio_to_scratch"] == ""
        return
    row = rows["torch"]
    assert row["ratio_to_scratch"] == pytest.approx(2, rel=0.01)
    assert row["ratio_lo"] < 2 < row["ratio_hi"]
    assert row["cpu_ratio"] == pytest.approx(2, rel=0.01)
    assert row["min_ratio"] == pytest.approx(2, rel=0.05)
    assert row["step_ms"] == pytest.approx(2, rel=0.01)
    assert (row["n"], row["launches"]) == (155, 5)
    assert (row["flag"], row["status"]) == ("", "ok")
    scratch = rows["scratch"]
    ends = [scratch[name] for name in ("ratio_to_scratch", "ratio_lo", "ratio_hi")]
    assert ends == [1, 1, 1]


def test_a_sleep_moves_the_ratio_and_is_flagged(timed):
    """Each call of the work sleeps as long as it computes."""
    row = timed(torch=Fake(1e-3, sleep=4e-3))["torch"]  # four steps an epoch
    assert row["ratio_to_scratch"] == pytest.approx(2, rel=0.01)
    assert row["cpu_ratio"] == pytest.approx(1, rel=0.01)
    assert row["flag"] == "wall and cpu differ; waits"


def test_work_that_returns_before_it_is_done_is_withheld(timed):
    """Seven eighths of each step are still to be done when the slice's clock stops."""
    row = timed(jax=Fake(8e-3, late=7e-3))["jax"]
    assert row["status"] == "withheld"
    late = re.match(r"not blocked: (\d+)% of a slice", row["reason"])
    assert int(late[1]) == pytest.approx(700, abs=10)  # of a slice that lasts an eighth
    assert "step_ms" not in {name for name, value in row.items() if value != ""}


def test_a_result_that_is_read_slowly_is_no_late_one(timed, monkeypatch):
    slow = Fake()
    export = slow.export

    def reading():
        slow.clock.compute(0.05)
        return export()

    monkeypatch.setattr(slow, "export", reading)
    assert timed(jax=slow)["jax"]["status"] == "ok"


def test_a_compilation_in_every_slice_is_flagged(timed):
    row = timed(jax=Fake(anew=0.05))["jax"]
    assert row["flag"] == "first call of a slice is slow"


def test_compilations_are_counted_where_an_adapter_counts(timed):
    row = timed(keras=Fake(every=1))["keras"]
    assert row["flag"].startswith("compiled ")
    assert row["flag"].endswith(" times within slices")


def test_the_first_call_is_told_apart(timed):
    """Compiling before the first slice costs no slice anything."""
    once = Fake()
    steps = once._steps

    def first(count):
        if not once.compilations:
            once.clock.compute(0.7)
            once.compilations = 1
        return steps(count)

    once._steps = first
    plan = Plan(launches=1, rounds=3, least=3)
    row = timed(jax=once, plan=plan)["jax"]
    assert row["compile_ms"] == pytest.approx(700, rel=0.02)
    assert row["first_step_ms"] == pytest.approx(701, rel=0.02)
    assert row["ratio_to_scratch"] == pytest.approx(1, rel=0.05)
    assert row["flag"] == "short: 1 launches, 3 slices"


def test_one_thread_more_than_asked_is_flagged(timed):
    row = timed(torch=Fake(threads=2))["torch"]
    assert row["cpu_per_wall"] == pytest.approx(2, rel=0.01)
    assert "more than 1 thread" in row["flag"].split("; ")


@pytest.mark.parametrize("work", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("kind", ["train-epoch", "train-step", "inference"])
def test_other_work_is_no_time(timed, kind, work):
    variant = {"train-epoch": "lean", "train-step": "step"}.get(kind, "batch-256")
    row = timed(kind, variant, torch=Fake(work=work))["torch"]
    assert row["status"] == "withheld"
    assert row["reason"].startswith("not the same work: ")


def test_a_spread_is_called_noisy(timed):
    noisy = Fake()
    noisy.factor = lambda: 1 + noisy.loads % 2
    assert "noisy" in timed(torch=noisy)["torch"]["flag"]


def test_every_slice_begins_with_the_same_weights(timed):
    fake = Fake()
    timed(torch=fake, plan=Plan(launches=1, rounds=4, least=4))
    assert fake.loads == 2 + 4  # when built, for the first call, for each slice


def test_slices_are_neither_short_nor_collected(tmp_path):
    clock = Clock()
    collecting = []

    def call():
        collecting.append(gc.isenabled())
        clock.compute(1e-3)
        return {}

    work = slices.Work(call, 1, 1, call)
    slices.warmed(work, clock)
    collecting.clear()
    sample = slices.sliced(work, clock)
    assert sample["seconds"] >= slices.SLICE
    assert sample["steps"] == 20
    assert not any(collecting)
    work.call = None
    with pytest.raises(TypeError):
        slices.sliced(work, clock)
    assert gc.isenabled()


def test_rounds_hold_everyone_once_in_an_order_of_their_own(timed, tmp_path):
    plan = Plan(launches=2, rounds=8, least=8)
    timed(torch=Fake(), keras=Fake(), jax=Fake(), plan=plan)
    told = samples.read(tmp_path / journal.FILE)
    rounds = {}
    for record in (r for r in told if r["record"] == "timing"):
        turn = record["launch"], record["round"]
        rounds.setdefault(turn, []).append(record["framework"])
    assert len(rounds) == 16
    assert all(
        sorted(order) == sorted(registry.FRAMEWORKS) for order in rounds.values()
    )
    assert len({tuple(order) for order in rounds.values()}) > 4


def test_a_ratio_pairs_slices_of_one_round(timed, monkeypatch):
    """A machine that gets slower and slower moves no ratio."""
    slower = {"scratch": Fake(), "torch": Fake(2e-3)}
    for fake in slower.values():
        fake.factor = lambda fake=fake: 1 + fake.clock.now / 3
    row = timed(**slower)["torch"]
    assert row["step_ms_q3"] > 1.5 * row["step_ms_q1"]
    assert row["ratio_to_scratch"] == pytest.approx(2, rel=0.05)


# -- intervals -----------------------------------------------------------------------------


def test_the_interval_covers_what_it_promises():
    """Launches that differ more than rounds: 95 %, where rounds alone cover a third."""
    rng = np.random.default_rng(1)
    covered = dict.fromkeys(("both", "rounds", "none differ"), 0)
    for _ in range(200):
        launches = np.exp(rng.normal(0, 0.02, (5, 1)) + rng.normal(0, 0.01, (5, 31)))
        alike = np.exp(rng.normal(0, 0.02, (5, 31)))
        for name, values in (
            ("both", launches),
            ("rounds", [launches.ravel()]),
            ("none differ", alike),
        ):
            low, high = intervals.interval(values, resamples=200)
            covered[name] += low <= 1 <= high
    assert covered["both"] >= 0.91 * 200  # 95 % but for the luck of 200 draws
    assert covered["none differ"] >= 0.95 * 200
    assert covered["rounds"] < 0.6 * 200


def test_an_interval_repeats_and_holds_its_median():
    values = [[1.0, 1.1, 1.2], [1.05, 1.3]]
    low, high = intervals.interval(values)
    assert (low, high) == intervals.interval(values)
    assert low < 1.1 < high
    assert intervals.interval([[2.0]]) == (2.0, 2.0)
    assert intervals.interval([[3.0, 3.0], [3.0]]) == (
        pytest.approx(3.0),
        pytest.approx(3.0),
    )


# -- what is withheld ------------------------------------------------------------------------


def test_no_time_where_parity_failed(tmp_path, monkeypatch):
    rows = jobs.Job.parity_rows

    def failing(job):
        return [row | {"passed": False} for row in rows(job)]

    monkeypatch.setattr(jobs.Job, "parity_rows", failing)
    run = bench(
        "hiring", frameworks="scratch", launches=1, rounds=1, out=tmp_path / "run"
    )
    assert set(run.speed["status"]) == {"withheld"}
    assert set(run.speed["reason"]) == {"parity failed: no time is shown for it"}
    assert run.speed["step_ms"].isna().all()
    kinds = set(zip(run.speed["kind"], run.speed["variant"], strict=True))
    assert kinds == set(entries.kinds("scratch"))


class ForgetsTheRest(ScratchAdapter):
    """Its idiomatic epoch leaves out the smaller last batch."""

    def run_epoch(self, data, order, noise, lr, *, variant):
        B = self.recipe["batch_size"]
        if variant == "idiomatic":
            order = order[: len(order) // B * B]
        return super().run_epoch(data, order, noise, lr, variant=variant)


def test_an_epoch_that_ends_elsewhere_than_step_is_an_objection(monkeypatch):
    case = hiring(batch_size=3)  # of four examples
    variants = entries.EPOCHS
    for made, wrong in ((ScratchAdapter, ()), (ForgetsTheRest, ("idiomatic",))):

        def build(framework, case, dtype, made=made):
            module = registry.network_module(framework, case.network)
            return made(module, case.sizes, case.recipe, dtype=dtype)

        monkeypatch.setattr(registry, "build", build)
        errors = checks.variants(case, "scratch", DTYPE, variants)
        said = {
            v: checks.objection(errors[v], case, "scratch", DTYPE) for v in variants
        }
        assert {v for v in variants if said[v]} == set(wrong)


@pytest.mark.thorough
@pytest.mark.parametrize("framework", [f for f in entries.OPT_IN if f in INSTALLED])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_variants_that_compile_end_with_the_weights_of_step(tmp_path, framework, dtype):
    case = recipes.cases("digits", changes={}, seed=0)[0][0]
    names = entries.OPT_IN[framework]
    worker = Worker(framework, dtype, folder=tmp_path, timeout=900)
    try:
        ask = {"op": "check", "case": case.plain(), "variants": names}
        errors = worker.run(ask)["errors"]
    finally:
        worker.close()
    for name in names:
        assert checks.objection(errors[name], case, framework, dtype) == ""


@pytest.mark.parametrize("framework", [f for f in ("keras", "jax") if f in INSTALLED])
def test_adapters_count_what_they_compile(tmp_path, framework):
    worker = Worker(framework, "float32", folder=tmp_path)
    try:
        for kind, variant in list(entries.kinds(framework))[:-1]:  # one of inference
            one = entry(framework, kind, variant)
            assert worker.run(one.ask("warm"))["compiled"] > 0
            assert worker.run(one.ask("time"))["compiled"] == 0
    finally:
        worker.close()


# -- nothing is lost -------------------------------------------------------------------------


def real(kind="train-epoch"):
    return [
        Entry(hiring(), "scratch", "float32", kind, variant, 1)
        for variant in entries.EPOCHS
    ]


def test_a_killed_worker_is_a_row_and_the_others_go_on(tmp_path):
    plan = Plan(launches=1, rounds=4, least=4)
    lean, everyday = group = real()
    fresh = Fresh(tmp_path, 60.0)

    def say(framework, dtype, text):
        worker = fresh.of(everyday)
        if text.endswith("round 3") and worker._process is not None:
            os.kill(worker._process.pid, signal.SIGKILL)

    log = Journal.open(tmp_path)
    measuring.measure(group, fresh, log, plan, say=say)
    rows = {row["variant"]: row for row in benching.rows(log.records)}
    assert (rows["lean"]["status"], rows["lean"]["n"]) == ("ok", 4)
    assert rows["idiomatic"]["status"] == "killed"
    assert "SIGKILL" in rows["idiomatic"]["reason"]

    before = list(log.records)
    measuring.measure(group, Fresh(tmp_path, 60.0), log, plan)  # as --resume does
    assert log.records[: len(before)] == before
    rows = {row["variant"]: row for row in benching.rows(log.records)}
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert rows["idiomatic"]["launches"] == 2  # other processes: another launch
    assert rows["idiomatic"]["n"] >= 4
    known = len(log.records)
    measuring.measure(group, Fresh(tmp_path, 60.0), log, plan)
    assert len(log.records) == known  # nothing is left to do
    log.close()


COMMAND = ["bench", "hiring", "--frameworks", "scratch", "--out", "run"]
COMMAND += ["--launches", "2", "--rounds", "4"]


@pytest.mark.parametrize("after", [1, 30])
def test_a_killed_benchmark_goes_on_where_it_was(tmp_path, cli, after):
    run = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "nn_parity", *COMMAND],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    partial = run / journal.FILE
    deadline = time.monotonic() + 120
    while not (partial.exists() and partial.read_bytes().count(b"\n") > after):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive  # they die with their parent

    whole = partial.read_bytes().rpartition(b"\n")[0].decode().splitlines()
    with partial.open("ab") as stream:
        stream.write(b'{"record": "timing", "exp')  # cut off in the middle
    again = cli(*COMMAND, "--resume")
    assert again.returncode == 0, again.stderr
    assert not partial.exists()
    told = results.Run(run).samples
    timings = [r for r in told if r["record"] in benching.RECORDS]
    assert timings[: len(whole)] == [
        record for line in whole for record in samples.parse(line)
    ]
    speed = results.Run(run).speed
    assert set(speed["status"]) == {"ok"}
    assert (speed["n"] >= 8).all()
    assert (run / "status").read_text() == "complete\n"


def test_tables_are_made_of_the_records_alone(tmp_path):
    run = bench(
        "hiring",
        frameworks="scratch",
        launches=1,
        rounds=2,
        scaling="batch_size",
        out=tmp_path / "run",
    )
    names = ("speed", "memory", "scaling")
    for name in names:
        columns, keys, rows = benching.TABLES[name]
        made = rows(run.samples)
        assert jobs.csv_text(columns, made) == (run.path / f"{name}.csv").read_text()
        keyed = [tuple(row[key] for key in keys) for row in made]
        assert len(set(keyed)) == len(keyed) > 0
        assert set(made[0]) == set(columns)
    assert not verifying.verify(run.path).findings
    speed, memories = run.speed, run.frame("memory")
    assert set(speed["status"]) == {"ok"}
    assert (speed["peak_share"] < 1).all()
    assert (speed["gflop_per_s"] > 0).all()
    assert speed["flag"].str.startswith("short: 1 launches, 2 slices").all()
    assert (memories["imported_mib"] <= memories["loaded_mib"]).all()
    assert (memories["loaded_mib"] <= memories["peak_mib"]).all()
    curve = run.frame("scaling")
    assert curve["value"].drop_duplicates().tolist() == list(
        scaling.SIZES["batch_size"]
    )
    assert set(curve["status"]) == {"ok"}
    drawn = {path.stem for path in (run.path / "figures").iterdir()}
    assert drawn >= {f"{kind}-hiring" for kind in ("speed", "memory", "roofline")}
    assert "scaling-hiring" in drawn
    again = bench(
        "hiring",
        frameworks="scratch",
        launches=1,
        rounds=2,
        scaling="batch_size",
        out=run.path,
        resume=True,
    )
    assert again.samples == run.samples  # nothing was left to do


def test_quick_says_so(tmp_path, monkeypatch):
    plan = Plan(launches=1, rounds=2, least=2, seconds=0.0, quick=True)
    monkeypatch.setattr(running, "QUICK", plan)
    run = bench("hiring", frameworks="scratch", quick=True, out=tmp_path / "run")
    assert run.speed["flag"].str.startswith("quick").all()
    assert not run.has("memory")  # its processes did other work, too


def test_one_part_of_an_experiment_is_timed(tmp_path, monkeypatch):
    plan = Plan(launches=1, rounds=2, least=2, seconds=0.0, quick=True)
    monkeypatch.setattr(running, "QUICK", plan)
    run = bench(
        "logic-gates",
        part="and",
        frameworks="scratch",
        quick=True,
        out=tmp_path / "run",
    )
    assert set(run.speed["part"]) == {"and"}
    assert (run.speed["status"] == "ok").all()
    assert "Speed: logic-gates/and (table" in run.table("speed")
    assert run.plot("speed").get_suptitle().startswith("logic-gates/and: ")
    assert verifying.verify(run.path).findings == []


# -- memory, operations, sizes ---------------------------------------------------------------


def test_a_process_does_not_show_the_memory_of_its_parent(tmp_path):
    ballast = np.ones(40_000_000)  # 305 MiB
    worker = Worker("scratch", "float32", folder=tmp_path)
    try:
        worker.run(real()[0].ask("load"))
        assert worker.peak_rss_mib < 150
    finally:
        worker.close()
    assert memory.peak() >= memory.now() - 1 > 300
    assert ballast[0] == 1


def test_operations_are_those_of_the_formula():
    counted = products.count(
        recipes.cases("digits", changes={}, seed=0)[0][0], (1, 256)
    )
    B, D, H, K = 32, 784, 16, 10
    layers = D * H + H * H + H * K
    forward, dW, dh = 2 * B * layers, 2 * B * layers, 2 * B * (layers - D * H)
    assert counted == {
        "train": forward + dW + dh,
        "1": 2 * layers,
        "256": 256 * 2 * layers,
    }
    assert np.array(1.0).__class__ is np.ndarray  # NumPy is as it was


def test_a_slice_of_an_epoch_takes_so_many_steps():
    assert entries.steps_of(0) == entries.MOST
    assert entries.steps_of(10) == entries.MOST
    assert entries.steps_of(int(entries.WORK / 50)) == 50
    assert entries.steps_of(10**12) == entries.LEAST


@pytest.mark.parametrize(
    ("ratios", "at"),
    [
        ([4, 2, 1.0, 0.5], 100),
        ([4, 2, 0.5, 0.25], math.sqrt(10 * 100)),
        ([0.5, 2, 0.5, 0.4], math.sqrt(10 * 100)),  # the last time it overtakes
        ([0.9, 0.8, 0.7, 0.6], 1),
        ([4, 3, 2, 1.5], None),
        ([4, 0.5, 0.4, 1.5], None),  # overtaken again
    ],
)
def test_a_crossover_is_where_the_ratio_passes_through_one_for_good(ratios, at):
    found = scaling.crossover([1, 10, 100, 1000], ratios)
    assert found == (None if at is None else pytest.approx(at))


def curve(framework, ratios, sizes=(8, 32, 128)):
    return [
        dict.fromkeys(scaling.COLUMNS, "")
        | {"framework": framework, "status": "ok", "value": size}
        | {"ratio_to_scratch": r, "ratio_lo": 0.9 * r, "ratio_hi": 1.1 * r}
        for size, r in zip(sizes, ratios, strict=True)
    ]


@pytest.mark.parametrize(
    ("ratios", "says"),
    [
        ((4, 2, 1.5), "not within 8 and 128: slower at 128"),
        ((0.4, 0.3, 0.2), "not within 8 and 128: faster at each"),
        ((4, 2, 0.5), "64 (58 to 70)"),
        ((4, 2, 0.98), "123 (100 or more)"),
    ],
)
def test_a_curve_says_where_it_crosses(ratios, says):
    found = scaling._crossing(curve("torch", ratios))
    assert found["crossover_says"] == says
    assert ("crossover" in found) == says[0].isdigit()
    assert scaling._crossing(curve("scratch", (1, 1, 1))) == {}


def test_sizes_are_those_asked_for_where_a_network_has_them():
    def load(name):
        from nn_parity import datasets

        return datasets.load(name)

    digits = recipes.cases("digits", changes={}, seed=0)[0][0]
    rows = recipes.cases("digits-rows", changes={}, seed=0)[0][0]
    widths = dict(scaling.points(digits, "hidden", {}, load))
    assert [case.sizes["H"] for case in widths.values()] == [
        (n, n) for n in scaling.SIZES["hidden"]
    ]
    one = dict(scaling.points(digits, "hidden", {"hidden": "7"}, load))
    assert one[8].sizes["H"] == (8,)
    lengths = dict(scaling.points(rows, "length", {}, load))
    assert [case.sizes["T"] for case in lengths.values()] == list(lengths)
    assert not list(scaling.points(digits, "length", {}, load))
    batches = dict(scaling.points(digits, "batch_size", {"lr": "0.1"}, load))
    assert {c.recipe["batch_size"] for c in batches.values()} == set(batches)
    assert {c.recipe["lr"] for c in batches.values()} == {0.1}
    timer = slices.Timer(batches[1024], "scratch", "float32", steps=8)
    assert timer.n == 8 * 1024  # more than the data set has


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"launches": 0}, r"E051.*0 launches"),
        ({"rounds": 1.5}, r"E051.*1.5 rounds"),
        ({"variants": "torch-compil"}, r"E050.*did you mean 'torch-compile'"),
        ({"scaling": "width"}, r"E052.*batch_size, hidden, length"),
        ({"quick": True, "scaling": "all"}, r"E053"),
        ({"experiments": []}, r"E003"),
        ({"part": "lstm"}, r"E019.*no part 'lstm'"),
        ({"experiments": "logic-gates", "part": "or-by-hand"}, r"E019.*not trained"),
    ],
)
def test_bench_refuses_what_it_cannot_do(tmp_path, options, message):
    with pytest.raises(Refusal, match=message):
        bench(**{"experiments": "hiring", "out": tmp_path / "run"} | options)
    assert not (tmp_path / "run").exists()


def test_opt_in_variants_are_timed_when_they_are_asked_for():
    assert entries.chosen_variants(None) == frozenset()
    assert entries.chosen_variants("all") == {"torch-compile", "keras-jit"}
    lean = ("lean", "idiomatic")
    assert entries.epoch_variants("torch", ()) == lean
    assert entries.epoch_variants("torch", {"torch-compile"}) == (*lean, "compile")
    assert entries.epoch_variants("keras", {"torch-compile"}) == lean


def test_a_worker_that_cannot_load_is_a_row(tmp_path):
    def broken(entry):
        raise Failure("oom", "MemoryError: no room")

    class Broken:
        peak_rss_mib = 0.0
        run = staticmethod(broken)

    log = Journal.open(tmp_path)
    measuring.measure(real(), Borrowed(lambda entry: Broken()), log, PLAN)
    log.close()
    rows = benching.rows(log.records)
    assert {row["status"] for row in rows} == {"oom"}
    assert {row["reason"] for row in rows} == {"MemoryError: no room"}


def test_the_journal_is_strict_json(tmp_path):
    log = Journal.open(tmp_path)
    log.add({"record": "timing-end", "status": "ok", "peak_mib": math.inf})
    log.close()
    text = (tmp_path / journal.FILE).read_text()
    assert json.loads(text)["peak_mib"] == "inf"
    log = Journal.open(tmp_path)
    log.close()
    assert log.records[0]["peak_mib"] == math.inf
