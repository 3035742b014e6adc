#!/usr/bin/env python3
"""Changes one line of lib/, formats/ or cli/ at random, as a slip of the pen would: a comparison turned round, a constant
one off, a condition negated, a statement left out, - for +, || for &&.  Builds that, runs the tests until one fails, and
lists the changes that no test saw.  All of it is done in a copy: the working tree stays as it is.
    make mutants MUTANTS='--count 100 --seed 1'
"""
import argparse
import os
import random
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SWAPS = [(" < ", " <= "), (" < ", " >= "), (" <= ", " < "), (" > ", " >= "), (" > ", " <= "), (" >= ", " > "),
         (" == ", " != "), (" != ", " == "), (" && ", " || "), (" || ", " && "), (" + ", " - "), (" - ", " + "),
         (" += ", " -= "), (" -= ", " += "), ("++", "--")]
# An assignment or a call that stands alone; a declaration has a type in front of its name.
STATEMENT = re.compile(r"^ +(?!return|const|case|goto|else|if|for|while|do)(\*?[A-Za-z_][\w>.\[\]()*-]*)( [-+*/|&^]?= .*|\(.*\));$")
CONDITION = re.compile(r"^( *(?:else )?(?:if|while) \()(.*)(\)(?: \{| return.*;| continue;| break;)?)$")


def mutants(line):
    """All changes of a line that make sense."""
    code = re.sub(r'"(\\.|[^"\\])*"|\'(\\.|[^\'\\])*\'|/\*.*?\*/', lambda m: "\0" * len(m.group()), line)
    made = []
    for old, new in SWAPS:
        made += [line[:m.start()] + new + line[m.end():] for m in re.finditer(re.escape(old), code)]
    for m in re.finditer(r"(?<![\w.])\d+(?![\w.])", code):
        made += [line[:m.start()] + str(int(m.group()) + by) + line[m.end():] for by in (1, -1) if int(m.group()) + by >= 0]
    m = CONDITION.match(line)
    if m and m.group(2).count("(") == m.group(2).count(")"):
        made.append(f"{m.group(1)}!({m.group(2)}){m.group(3)}")
    if STATEMENT.match(code):
        made.append(re.match(" *", line).group() + ";")
    return made


def places(folder, files):
    """Lines of code, each with its changes: what stands inside functions."""
    for name in files:
        with open(os.path.join(folder, name)) as f:
            for number, line in enumerate(f.read().split("\n"), 1):
                if line.startswith("  ") and not re.match(r" +(\*|/\*|//)", line) and not line.endswith("\\"):
                    yield name, number, line


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--count", type=int, default=100)
    options.add_argument("--seed", type=int, default=int(time.time()) % 1000000)
    options.add_argument("--limit", type=float, default=900, help="seconds for all tests on one change")
    options.add_argument("--where", default="", help="a pattern of FILE:LINE")
    options.add_argument("--tests", default="", help="these only, in this order")
    o = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # clears away, too
    source, build = os.environ["ADTOOL_SRCDIR"], os.environ["ADTOOL_BUILDDIR"]
    print(f"seed {o.seed}", flush=True)
    files = subprocess.run(["git", "ls-files"], cwd=source, check=True, capture_output=True, text=True).stdout.split()
    with tempfile.TemporaryDirectory() as work:
        for name in files:
            os.makedirs(os.path.dirname(os.path.join(work, name)), exist_ok=True)
            shutil.copy2(os.path.join(source, name), os.path.join(work, name))
        try:
            survivors = run(o, work, shlex.split(subprocess.run([os.path.join(build, "config.status"), "--config"], check=True,
                            capture_output=True, text=True).stdout), [f for f in files if re.match(r"(lib|formats|cli)/.*\.(c|inc)$", f)])
        except subprocess.CalledProcessError as e:
            sys.exit(f"{shlex.join(map(str, e.cmd))}:\n{e.stdout}{e.stderr}")
    print(f"{len(survivors)} of {o.count} survived (seed {o.seed})")
    for s in survivors:
        print(s)


def run(o, work, configuration, files):
    place = os.path.join(work, "build")
    os.mkdir(place)

    def bounded():
        if not any("sanitizers" in c for c in configuration):
            resource.setrlimit(resource.RLIMIT_AS, (1 << 33, 1 << 33))

    def call(*command, seconds=None, folder=place):
        with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, errors="replace", start_new_session=True, preexec_fn=bounded) as p:
            try:
                out, err = p.communicate(timeout=seconds)
            except BaseException:
                os.killpg(p.pid, signal.SIGKILL)  # its tests, too
                raise
        if p.returncode:
            raise subprocess.CalledProcessError(p.returncode, command, out, err)
        return out

    def test(name, seconds=None):
        """Builds what this test needs, and runs it."""
        needs = "tests/instructions tests/growth doc/example" if name.endswith(".sh") else name
        call("make", "-s", f"-j{os.cpu_count()}", "check", f"TESTS={name}", f"check_PROGRAMS={needs}", "check_LTLIBRARIES=",
             seconds=seconds)

    call("./autogen.sh", folder=work)
    call("../configure", "--quiet", *configuration)
    tests = o.tests.split() or call("make", "-s", "--eval=names:;@echo $(TESTS)", "names").split()
    spent = {}
    for name in tests:
        test(name)  # builds
        start = time.monotonic()
        test(name)
        spent[name] = time.monotonic() - start
    if not o.tests:
        tests.sort(key=spent.get)
    print(f"{len(tests)} tests take {sum(spent.values()):.0f} s", flush=True)

    def verdict():
        try:
            call("make", "-s", f"-j{os.cpu_count()}", "adtool")
        except subprocess.CalledProcessError:
            return "does not build"
        end = time.monotonic() + o.limit
        for name in tests:
            try:
                test(name, max(end - time.monotonic(), 1))
            except subprocess.CalledProcessError:
                return f"killed by {name}"
            except subprocess.TimeoutExpired:
                return f"killed by time in {name}"
        return "survived"

    chance = random.Random(o.seed)
    lines = [p for p in places(work, files) if re.search(o.where, f"{p[0]}:{p[1]}")]
    if not any(mutants(line) for _, _, line in lines):
        sys.exit(f"nothing to change in '{o.where}'")
    made, survivors = 0, []
    while made < o.count:
        name, number, line = chance.choice(lines)
        all_of_it = mutants(line)
        if not all_of_it:
            continue
        changed = chance.choice(all_of_it)
        path = os.path.join(work, name)
        with open(path) as f:
            whole = f.read()
        parts = whole.split("\n")
        parts[number - 1] = changed
        with open(path, "w") as f:
            f.write("\n".join(parts))
        said = verdict()
        with open(path, "w") as f:
            f.write(whole)
        report = f"{name}:{number}: {line.strip()}  ->  {changed.strip()}"
        print(f"{said}: {report}", flush=True)
        made += said != "does not build"
        if said == "survived":
            survivors.append(report)
    return survivors


main()
