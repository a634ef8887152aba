#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""How strong are the tests? Changes the code at random places and checks whether a test fails.

    tests/support/mutate.py [--mutants N] [--seed S] [--jobs J] [--areas A,B...] [--only FILE]
                            [--work DIR] [--list]

A mutant is the code with one change: a negated condition, another or a reversed comparison, && for
||, + for -, a number increased by one, a statement removed, a result replaced by 0. A mutant that
does not compile, or that compiles to the same object as before, is replaced by another one.

How long each test takes without a change, and which lines it reaches, is measured first and kept in
build/mutate-tests.json until the code or a test changes. A test that fails there is left out. A mutant
meets the tests that reach its line in two rounds, first those that take at most SLOW seconds: those of
its file and room before the others. Children that end by _exit or a signal do not report their lines.
So in a third round it meets the other quick tests, and those that do much in children (FORKING). In
the last round it meets the quick programs of the first one once more, built with AddressSanitizer and
UndefinedBehaviorSanitizer: some changes are seen only there, and `make check-sanitizers` is a part of
the suite. The first test that fails or exceeds its time kills the mutant. The script lists the mutants
that survive: either a test is missing, or the change makes no difference. A file tests/support/mutate-equivalent.txt
may list mutants that make no difference but to speed, with the reason; these do not count.

--only tests the mutants that FILE names, as this script prints them: those that survived an earlier
run. Every job works in a copy of the tree below TMPDIR, or in DIR, where the copies stay for the next
run. The exit status is 0 if at least GOAL percent of the mutants that count were killed.
"""
import argparse
import bisect
import filecmp
import fnmatch
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from clang import cindex
from clang.cindex import CursorKind, TokenKind

GOAL = 95
SLOW = 1  # seconds
MEASURED = "build/mutate-tests.json"
EQUIVALENT = "tests/support/mutate-equivalent.txt"


def limit(seconds):
    """How long a test may take that takes so long without a change and on an idle machine."""
    begin, used = time.time(), time.thread_time()
    while time.thread_time() - used < 0.02:
        pass
    busy = (time.time() - begin) / 0.02
    return int((6 + 6 * seconds) * max(1, 2 * busy))


# Area: folders of its sources, and the tests that may kill its mutants: those of the first pattern
# before the others. The crash tests have a model of the medium in place of the parts below and above
# the block table.
UNIT_BLK = ["unit/btt/*", "unit/pool/*", "unit/storage/*", "unit/poolset/*", "unit/base/*"]
BLK_TESTS = UNIT_BLK + ["unit/common/*", "api/blk/*", "concurrency/*", "fuzz/*", "tool/*", "compat/*",
                        "build/test_dlopen.sh", "build/test_system_calls.sh", "build/test_seccomp.sh",
                        "build/test_debug.sh", "machine/test_hugetlbfs.sh", "machine/test_ramfs.sh",
                        "machine/test_valgrind.sh"]
CRASH_TESTS = ["crash/test_enumerate", "crash/test_failing_syncs", "crash/test_batches",
               "crash/test_mutants", "crash/test_rules"]
TOOL_TESTS = ["tool/*", "fuzz/*", "compat/test_repair.sh", "compat/test_grow.sh",
              "compat/test_damage_matrix.sh", "compat/test_exchange.sh", "build/test_manuals.sh"]
PMEM_TESTS = ["unit/pmem/*", "unit/common/*", "api/pmem/*", "build/test_symbols.sh",
              "build/test_debug.sh", "build/test_dlopen.sh", "compat/test_fio.sh", "unit/pool/*",
              "machine/test_hugetlbfs.sh", "machine/test_valgrind.sh"]
FORKING = ["api/blk/test_fork*", "api/blk/test_alloc", "api/blk/test_dropped_pages", "api/blk/test_exit",
           "concurrency/*"]
AREAS = {
    "btt": (["src/blk/btt"], ["unit/btt/*"] + BLK_TESTS + CRASH_TESTS),
    "pool": (["src/blk/pool", "src/blk"], ["unit/pool/*"] + BLK_TESTS),
    "storage": (["src/blk/storage"], ["unit/storage/*"] + BLK_TESTS + CRASH_TESTS[:2]),
    "poolset": (["src/blk/poolset"], ["unit/poolset/*"] + BLK_TESTS),
    "base": (["src/blk/base"], ["unit/base/*"] + BLK_TESTS),
    "repair": (["src/tool/repair", "src/tool/image", "src/tool/grow"], ["tool/*"] + TOOL_TESTS),
    "commands": (["src/tool/commands", "src/tool"], ["tool/*"] + TOOL_TESTS),
    "pmem": (["src/pmem", "src/pmem/generic", "src/pmem/" + os.uname().machine], PMEM_TESTS),
    "common": (["src/common"], ["unit/common/*"] + PMEM_TESTS + BLK_TESTS),
}

# A mutant as this script prints it: the file, and what follows the number of the line.
NAMED = re.compile(r"(src/\S+?\.c)(?::\d+)?( .*)")

SWAPS = {
    "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"],
    "==": ["!="], "!=": ["=="], "&&": ["||"], "||": ["&&"],
    "+": ["-"], "-": ["+"], "<<": [">>"], ">>": ["<<"], "|": ["&"], "&": ["|"],
    "+=": ["-="], "-=": ["+="], "|=": ["&="],
}
CONDITIONS = {CursorKind.IF_STMT, CursorKind.WHILE_STMT, CursorKind.CONDITIONAL_OPERATOR}
DELETABLE = {CursorKind.CALL_EXPR, CursorKind.BINARY_OPERATOR, CursorKind.UNARY_OPERATOR,
             CursorKind.COMPOUND_ASSIGNMENT_OPERATOR, CursorKind.BREAK_STMT,
             CursorKind.CONTINUE_STMT}


class Mutant:
    def __init__(self, area, path, function, begin, end, new, what, line):
        self.area, self.path, self.function = area, path, function
        self.begin, self.end, self.new, self.what, self.line = begin, end, new, what, line

    def key(self):
        """What it is called where lines may have moved: in the lists of mutants."""
        return f"{self.path} {self.function}: {self.what}"

    def text(self, source):
        """The changed source. Its lines keep their numbers."""
        gone = source.count("\n", self.begin, self.end) - self.new.count("\n")
        return source[:self.begin] + self.new + "\n" * gone + source[self.end:]

    def __str__(self):
        return f"{self.path}:{self.line} {self.function}: {self.what}"


def own_text(cursor, path):
    """Where the cursor stands in this very file, outside of macros; None if it does not."""
    begin, end = cursor.extent.start, cursor.extent.end
    if not begin.file or begin.file.name != path or not end.file or end.file.name != path:
        return None
    return (begin.offset, end.offset) if begin.offset < end.offset else None


def mutants_of(area, path, source, flags):
    index = cindex.Index.create()
    unit = index.parse(path, args=flags)
    out = []
    line_ends = [i for i, c in enumerate(source) if c == "\n"]
    seen = set()  # a macro may repeat its argument

    def add(function, begin, end, new, what):
        if (begin, end, new) not in seen:
            seen.add((begin, end, new))
            line = bisect.bisect_left(line_ends, begin) + 1
            out.append(Mutant(area, path, function, begin, end, new, what, line))

    def visit(cursor, function, in_compound):
        span = own_text(cursor, path)
        if cursor.kind == CursorKind.FUNCTION_DECL:
            function = cursor.spelling
        if span and function:
            begin, end = span
            text = source[begin:end]
            children = list(cursor.get_children())
            if cursor.kind in CONDITIONS and children:
                cond = own_text(children[0], path)
                if cond:
                    c = source[cond[0]:cond[1]]
                    add(function, cond[0], cond[1], f"!({c})", f"condition {short(c)} negated")
            if cursor.kind in (CursorKind.BINARY_OPERATOR, CursorKind.COMPOUND_ASSIGNMENT_OPERATOR) \
                    and len(children) == 2:
                left, right = own_text(children[0], path), own_text(children[1], path)
                if left and right and left[1] <= right[0]:
                    between = source[left[1]:right[0]]
                    op = between.strip()
                    for new in SWAPS.get(op, []):
                        at = left[1] + between.index(op)
                        add(function, at, at + len(op), new, f"{short(text)}: {op} becomes {new}")
            if cursor.kind == CursorKind.INTEGER_LITERAL and text.isdigit():
                add(function, begin, end, str(int(text) + 1),
                    f"{line_of(source, begin)}: {text} becomes {int(text) + 1}")
            if cursor.kind == CursorKind.RETURN_STMT and children and text != "return 0":
                add(function, begin, end, "return 0", f"{short(text)} becomes return 0")
            if in_compound and cursor.kind in DELETABLE and source[end:end + 1] == ";" \
                    and not text.startswith("(void)"):
                add(function, begin, end, "", f"left out: {short(text)}")
        for child in cursor.get_children():
            visit(child, function, cursor.kind == CursorKind.COMPOUND_STMT or
                  (cursor.kind in (CursorKind.IF_STMT, CursorKind.FOR_STMT, CursorKind.WHILE_STMT)
                   and child.kind in DELETABLE and own_text(child, path) is not None
                   and source[own_text(child, path)[1]:][:1] == ";"
                   and cursor.kind != CursorKind.FOR_STMT))

    for cursor in unit.cursor.get_children():
        if cursor.location.file and cursor.location.file.name == path:
            visit(cursor, None, False)
    number = {}
    for m in out:
        number[m.key()] = number.get(m.key(), 0) + 1
        if number[m.key()] > 1:
            m.what += f" (number {number[m.key()]})"
    return out


def line_of(source, at):
    begin = source.rfind("\n", 0, at) + 1
    return short(source[begin:source.index("\n", at)])


def short(text):
    text = " ".join(text.split())
    return text if len(text) <= 70 else text[:67] + "..."


def die_first():
    """Lets the kernel end this process and its children before others when memory is short."""
    with open("/proc/self/oom_score_adj", "w") as f:
        f.write("1000")


class Job:
    """A copy of the tree, built."""

    def __init__(self, number, root):
        self.dir = os.path.join(root, f"tree{number}")
        files = subprocess.check_output(["git", "ls-files", "-z"], text=True).split("\0")
        for f in filter(None, files):
            if os.path.isfile(f):
                target = os.path.join(self.dir, f)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                if not os.path.exists(target) or not filecmp.cmp(f, target, shallow=False):
                    shutil.copy(f, target)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
        self.env.update(WERROR="", FAIL_FAST="1")
        self.build = os.path.join(self.dir, "build/release")
        self.log = os.path.join(self.dir, "check.log")

    def make(self, *args, timeout=300, log=None, **env):
        out = open(log, "wb") if log else subprocess.DEVNULL
        # In a session of its own: a mutant may make a test kill its process group, or fill all memory.
        return subprocess.call(["make", "-s", "WERROR=", *args], cwd=self.dir,
                               env=dict(self.env, TEST_TIMEOUT=str(timeout), **env),
                               stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                               start_new_session=True, preexec_fn=die_first)

    def object_of(self, path):
        return os.path.join(self.build, "obj", path[:-2] + ".o")

    def code_of(self, path):
        """All that is loaded, without the debugger's information."""
        bare = os.path.join(self.dir, "bare.o")
        subprocess.check_call(["objcopy", "--strip-debug", self.object_of(path), bare])
        return subprocess.check_output(["objdump", "-s", "-r", bare])

    def tests(self, patterns):
        """The names of those that fit a pattern."""
        names = []
        for folder, _, files in os.walk(os.path.join(self.dir, "tests")):
            for f in files:
                if f.startswith("test_") and f.endswith((".c", ".sh")):
                    rel = os.path.relpath(os.path.join(folder, f), os.path.join(self.dir, "tests"))
                    names.append(rel[:-2] if f.endswith(".c") else rel)
        return sorted(n for n in names if any(fnmatch.fnmatch(n, p) for p in patterns))

    def check(self, tests, timeout, sanitized=False, **env):
        """The exit status of `make check` with these tests."""
        paths = " ".join(f"tests/{n}" if n.endswith(".sh") else f"$(B)/tests/{n}" for n in tests)
        if sanitized:  # as check-sanitizers does
            paths = f"$(filter-out $(addprefix %/,$(NOT_SANITIZED)),{paths})"
        args = ["check", "TESTS=" + paths]
        if sanitized:
            args.append("SAN=address,undefined")
            timeout *= 4
        if not any(n.endswith(".sh") for n in tests):
            args += ["HELPER_BIN=", "BENCH_BIN="]  # only scripts need them
        return self.make(*args, timeout=timeout, log=self.log, **env)

    def first_failure(self, tests, seconds, sanitized):
        """The test that fails, twice: on a busy machine a test may exceed its time once."""
        while tests:
            batch = [tests.pop(0)]
            while tests and len(batch) < 8 and sum(seconds[t] for t in batch) < 1:
                batch.append(tests.pop(0))
            if self.check(batch, limit(max(seconds[t] for t in batch)), sanitized) != 0:
                killer = self.named_failure()
                self.end_leftovers()
                if killer not in batch or \
                        self.check([killer], limit(seconds[killer]), sanitized) != 0:
                    self.end_leftovers()
                    return killer
                print(f"failed once only: {killer}", flush=True)
                tests = batch[batch.index(killer) + 1:] + tests
        return None

    def end_leftovers(self):
        """Ends what a test that exceeded its time has left running."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/exe").startswith(self.dir + "/"):
                    os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass  # it has ended, or is another user's

    def named_failure(self):
        with open(self.log, errors="replace") as f:
            for line in f:
                if line.startswith("FAIL"):
                    return line.split()[1]
        return "build"

    def measure(self, name):
        """The test's seconds and the lines that it reaches; None if it fails."""
        data = os.path.join(self.dir, "reached")
        shutil.rmtree(data, ignore_errors=True)
        if self.check([name], 300, COV="1", GCOV_PREFIX=data,
                      GCOV_PREFIX_STRIP=str(self.dir.count("/"))) == 0:
            return Measured(self.seconds(), reached_lines(self.dir, data))
        # What the compiler adds for coverage fails some tests. They may reach any line.
        return Measured(self.seconds(), None) if self.check([name], 300) == 0 else None

    def seconds(self):
        """How long the one test of the last check took; 0 if it has skipped itself."""
        with open(self.log, errors="replace") as f:
            took = re.search(r"^ok .*?\(([0-9.]+)s", f.read(), re.MULTILINE)
        return float(took[1]) if took else 0.0


class Measured:
    """What is known of a test: its seconds, and the lines of each file with whether it reaches them."""

    def __init__(self, seconds, lines):
        self.seconds, self.lines = seconds, lines

    def reaches(self, m):
        """Whether it runs the mutant's line, or the last one before it that has code."""
        if self.lines is None:
            return True
        lines, reached = self.lines.get(m.path, ([], []))
        at = bisect.bisect_right(lines, m.line) - 1
        return at >= 0 and reached[at]


def reached_lines(tree, data):
    """The lines of code in each file of src/ that has written to data, and whether each was reached."""
    found = []
    for folder, _, files in os.walk(data):
        if "/src/" in folder + "/":
            for f in files:
                path = os.path.join(folder, f)
                notes = os.path.join(tree, os.path.relpath(path, data))[:-5] + ".gcno"
                if f.endswith(".gcda") and os.path.exists(notes):
                    os.symlink(notes, path[:-5] + ".gcno")
                    found.append(path)
    if not found:
        return {}
    out = subprocess.run(["gcov", "--json-format", "--stdout", *found], cwd=tree, check=True, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    counts = {}
    for unit in filter(None, out.splitlines()):
        for f in json.loads(unit)["files"]:
            if f["file"].startswith("src/"):
                lines = counts.setdefault(f["file"], {})
                for line in f["lines"]:
                    n = line["line_number"]
                    lines[n] = lines.get(n, False) or line["count"] > 0
    return {path: (sorted(lines), [lines[n] for n in sorted(lines)]) for path, lines in counts.items()}


def fingerprint():
    """It changes with each file that git knows."""
    h = hashlib.sha256()
    for f in sorted(subprocess.check_output(["git", "ls-files", "-z"], text=True).split("\0")):
        if os.path.isfile(f) and not f.endswith((".md", "/mutate.py", "/mutate-equivalent.txt")):
            with open(f, "rb") as data:
                h.update(f.encode() + b"\0" + data.read())
    return h.hexdigest()


def load_measured(tree):
    try:
        with open(MEASURED) as f:
            kept = json.load(f)
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if kept["tree"] != tree:
        return None
    return {t: Measured(**m) for t, m in kept["tests"].items()}


def measure_all(jobs, tree):
    names = jobs[0].tests({p for _, patterns in AREAS.values() for p in patterns})
    out = {}
    lock = threading.Lock()

    def work(job):
        job.make("-j2", "COV=1", "all")
        while True:
            with lock:
                if not names:
                    return
                name = names.pop()
            measured = job.measure(name)
            with lock:
                if measured:
                    out[name] = measured
                else:
                    print(f"left out, it fails without a change: {name}", flush=True)

    each_in_a_thread(work, jobs)
    os.makedirs(os.path.dirname(MEASURED), exist_ok=True)
    with open(MEASURED, "w") as f:
        json.dump({"tree": tree, "tests": {t: vars(m) for t, m in out.items()}}, f)
    return out


def each_in_a_thread(work, jobs):
    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def known_equivalent(path):
    known = {}
    try:
        with open(path) as f:
            for line in f:
                line = line.strip()
                if line and not line.startswith("#"):
                    key, _, reason = line.partition(" -- ")
                    known[key.strip()] = reason
    except FileNotFoundError:
        pass
    return known


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--mutants", type=int, default=200)
    p.add_argument("--seed", type=int, default=int(time.time()))
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--areas", default=",".join(AREAS))
    p.add_argument("--only", help="a file with lines that name mutants")
    p.add_argument("--work", help="where the copies of the tree are, and stay")
    p.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    a = p.parse_args()
    flags = ["-std=c11", "-D_GNU_SOURCE", "-DNDEBUG", '-DSRCVERSION="0"', "-Iinclude", "-Isrc/common",
             "-Isrc/pmem", "-Isrc/blk", "-Isrc/tool"]
    if os.uname().machine == "x86_64":
        flags += ["-mavx512f", "-mclflushopt", "-mclwb", "-mmovdir64b"]
    only = None
    if a.only:
        with open(a.only) as f:
            only = {m[1] + m[2].rstrip() for m in map(NAMED.search, f) if m}
    rng = random.Random(a.seed)
    pools = {}
    for area in a.areas.split(","):
        found = []
        for folder in AREAS[area][0]:
            for f in sorted(os.listdir(folder)):
                if f.endswith(".c"):
                    path = os.path.join(folder, f)
                    with open(path) as src:
                        found += mutants_of(area, path, src.read(), flags)
        rng.shuffle(found)
        pools[area] = [m for m in found if only is None or m.key() in only]
    if only is not None:
        a.mutants = sum(map(len, pools.values()))
        for key in only - {m.key() for pool in pools.values() for m in pool}:
            print(f"no longer there: {key}")
    known = known_equivalent(EQUIVALENT)
    print(f"seed {a.seed}; places: " + ", ".join(f"{k} {len(v)}" for k, v in pools.items()), flush=True)

    lock = threading.Lock()
    count = {k: {"killed": 0, "survived": 0, "equivalent": 0, "discarded": 0} for k in pools}
    survivors = []
    areas = [k for k in pools if pools[k]]
    left = [a.mutants]
    turn = [0]

    def draw():
        with lock:
            if left[0] == 0 or not any(pools.values()):
                return None
            while not pools[areas[turn[0] % len(areas)]]:
                turn[0] += 1
            m = pools[areas[turn[0] % len(areas)]].pop()
            turn[0] += 1
            left[0] -= 1
            return m

    def again(m):
        """It was none: another one of the same area takes its place."""
        with lock:
            count[m.area]["discarded"] += 1
            left[0] += 1
            turn[0] -= 1

    kills = {}

    def ordered(m, which):
        """Those named like the mutant's file, then those that have killed mutants of this file, then
        the room's own, then the others; quick ones first."""
        patterns = AREAS[m.area][1]
        stem = os.path.basename(m.path)[:-2]
        tests = [t for t in measured if any(fnmatch.fnmatch(t, p) for p in patterns) and which(t, m)]
        with lock:
            return sorted(tests, key=lambda t: (stem not in t, (m.path, t) not in kills,
                                                not fnmatch.fnmatch(t, patterns[0]),
                                                measured[t].seconds))

    def quick(t):
        return measured[t].seconds <= SLOW

    def forking(t):
        return any(fnmatch.fnmatch(t, p) for p in FORKING)

    rounds = [lambda t, m: quick(t) and measured[t].reaches(m),
              lambda t, m: not quick(t) and measured[t].reaches(m),
              lambda t, m: (quick(t) or forking(t)) and not measured[t].reaches(m),
              lambda t, m: quick(t) and not t.endswith(".sh") and measured[t].reaches(m)]

    if a.list:
        while (m := draw()):
            print(m)
        return 0

    def report(m, killer, seconds):
        with lock:
            count[m.area]["killed" if killer else "survived"] += 1
            if killer:
                kills[m.path, killer] = True
            else:
                survivors.append(m)
            print(f"{'killed by ' + killer if killer else 'SURVIVED'} ({seconds:.0f}s): {m}", flush=True)

    def run(job, m, number, alive):
        target = os.path.join(job.dir, m.path)
        with open(target) as f:
            source = f.read()
        before = job.code_of(m.path)
        with open(target, "w") as f:
            f.write(m.text(source))
        rel = os.path.relpath(job.object_of(m.path), job.dir)
        ok = job.make(rel) == 0
        if not ok or job.code_of(m.path) == before:
            again(m)
        elif m.key() in known:
            with lock:
                count[m.area]["equivalent"] += 1
        else:
            start = time.time()
            is_last = number + 1 == len(rounds)
            killer = job.first_failure(ordered(m, rounds[number]), seconds, is_last)
            spent = time.time() - start
            if killer or is_last:
                report(m, killer, spent)
            else:
                with lock:
                    alive.append(m)
                    print(f"no test of round {number + 1} kills ({spent:.0f}s): {m}", flush=True)
        with open(target, "w") as f:
            f.write(source)
        job.make(rel)

    def one_round(number, next_mutant):
        """Returns those that no test has killed."""
        alive = []

        def work(job):
            while (m := next_mutant()):
                run(job, m, number, alive)

        each_in_a_thread(work, jobs)
        return alive

    def next_of(mutants):
        def take():
            with lock:
                return mutants.pop(0) if mutants else None
        return take

    root = a.work or tempfile.mkdtemp(prefix="pmemmutate.")
    try:
        jobs = [Job(i, root) for i in range(a.jobs)]
        for job in jobs:
            if job.make("-j2", "all") != 0:
                raise SystemExit("the tree does not build")
        tree = fingerprint()
        measured = load_measured(tree) or measure_all(jobs, tree)
        seconds = {t: m.seconds for t, m in measured.items()}
        print(f"{len(seconds)} tests, {sum(seconds.values()):.0f} s", flush=True)
        alive = one_round(0, draw)
        for number in range(1, len(rounds)):
            alive = one_round(number, next_of(alive))
    finally:
        if not a.work:
            shutil.rmtree(root, ignore_errors=True)

    killed = sum(c["killed"] for c in count.values())
    lived = sum(c["survived"] for c in count.values())
    for area, c in count.items():
        n = c["killed"] + c["survived"]
        print(f"{area}: {c['killed']} of {n} killed, {c['equivalent']} equivalent, "
              f"{c['discarded']} drawn again")
    for m in survivors:
        print(f"survived: {m}")
    print(f"seed {a.seed}: {killed} of {killed + lived} killed "
          f"({100 * killed / max(1, killed + lived):.1f} %)")
    return 0 if killed * 100 >= GOAL * (killed + lived) else 1


if __name__ == "__main__":
    sys.exit(main())
