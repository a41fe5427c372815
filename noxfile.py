"""What runs before a change lands. `nox` runs all of it; `nox -l` lists the sessions.

Whatever follows `--` goes to pytest or to the demo: `nox -s "tests(openai3)" -- -k timeout`.
"""

import os
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2026.10.20"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests", "lowest", "pythons", "uvloop", "bare", "semantic_kernel", "stack"]

# A slow registry is no reason to fail.
os.environ.setdefault("UV_HTTP_TIMEOUT", "180")
os.environ.setdefault("UV_HTTP_RETRIES", "5")

# pyenv's shims answer only for the versions that are switched on; the others are found in their own folders.
if pyenv := os.environ.get("PYENV_ROOT"):
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *map(str, Path(pyenv).glob("versions/3.*/bin"))])

PROJECT = nox.project.load_toml("pyproject.toml")["project"]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
OLDEST, NEWEST = "3.10", ("3.13", "3.14")
OTHER_PYTHONS = [version for version in (OLDEST, "3.11", "3.12", *NEWEST) if version != HERE]

OPENAI_3 = "openai>=3,<4"
"""Speaks through httpx2."""
OPENAI_2 = "openai>=2,<3"
"""Speaks through httpx."""
OPENAI_1 = "openai>=1.93,<2"
"""The same."""
BEFORE_MCP_2 = "agent-framework-core<1.23"
"""The last one whose MCP tools need `mcp` 1."""

PARALLEL = ("--numprocesses=auto", "--maxprocesses=4", "--dist=worksteal")
NOT_ONCE = ("-m", "not once")
"""What may differ between Pythons, event loops and openai families."""
CROSS_SECTION = [
    *("tests/guest/test_patches.py", "tests/guest/test_process_end.py", "tests/verdict/test_deadlines.py"),
    *(f"tests/streams/test_{name}.py" for name in ("misbehaviour", "streams_cuts", "streams_http", "taps")),
]
"""Where such differences showed: how streams, deadlines, processes and HTTP bodies end, and what is patched."""
OF_FRAMEWORKS = ["tests/framework", "tests/classes", "tests/sdks"]
OF_VERSIONS = ["tests/guest/test_neighbours.py", "tests/otlp", "tests/recorder/test_recovery.py"]
"""Beside what may differ: what depends on the version of OpenTelemetry."""


def install_grafanas_schema(session: nox.Session) -> None:
    """Against which the dashboards are checked."""
    if shutil.which("npm"):
        session.run("npm", "ci", "--prefix=tools/grafana", "--no-audit", "--no-fund", external=True)
    else:
        session.warn("npm is not installed (https://nodejs.org): Grafana's schema and grammars check nothing")


def run_pytest(session: nox.Session, openai: str, *arguments: str, env: dict[str, str] | None = None) -> None:
    """Installs the package with one openai family beside it and runs the tests."""
    session.install("--editable", ".", "--group", "test", openai)
    pytest(session, "--ignore=tests/stack", *arguments, env=env)


def pytest(session: nox.Session, *arguments: str, env: dict[str, str] | None = None) -> None:
    """Runs tests beside each other. None is tried a second time."""
    session.run("pytest", *PARALLEL, *arguments, *session.posargs, env=env)


def install_debian(session: nox.Session, package: str, *commands: str) -> None:
    """On CI, a program of Debian's without which some tests are skipped: one of `commands`."""
    missing = not any(map(shutil.which, commands))
    if missing and os.environ.get("CI") and shutil.which("apt-get") and os.geteuid() == 0:
        for arguments in (("update",), ("install", "-y", "--no-install-recommends", package)):
            quiet = {"DEBIAN_FRONTEND": "noninteractive"}
            session.run("apt-get", "-qq", *arguments, env=quiet, external=True, success_codes=range(256), silent=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Lint, format, which module imports which, strict types."""
    session.install("--editable", ".", "--group", "test", "--group", "lint", OPENAI_3)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-logo", "--no-cache")
    session.run("mypy")
    session.run("mypy", "--python-version=3.11", "dashboards/boards")


@nox.session
@nox.parametrize("openai", [nox.param(OPENAI_3, id="openai3"), nox.param(OPENAI_2, id="openai2")])
def tests(session: nox.Session, openai: str) -> None:
    """The tests on the Python that runs nox: all of them with openai 3, a cross-section with openai 2."""
    install_grafanas_schema(session)
    if openai == OPENAI_3:
        install_debian(session, "chromium", "chromium", "chromium-browser", "google-chrome")
        run_pytest(session, openai)
    else:
        run_pytest(session, openai, *NOT_ONCE, *CROSS_SECTION, "tests/sdks")


@nox.session(python=OLDEST)
def lowest(session: nox.Session) -> None:
    """What may differ, with the oldest of all that is supported: Python, openai 1, each dependency at its floor."""
    floors = [dependency.replace(">=", "==") for dependency in PROJECT["dependencies"]]
    session.install("--editable", ".", "--group", "test-lowest", OPENAI_1, *floors)
    pytest(session, *NOT_ONCE, "--ignore=tests/stack")
    pytest(session, *OF_VERSIONS, "-m", "once")


@nox.session(python=OTHER_PYTHONS)
def pythons(session: nox.Session) -> None:
    """On each other Python that is installed: a cross-section, and on the newest two every framework, SDK and class.

    The oldest runs all that may differ in `lowest`.
    """
    run_pytest(session, OPENAI_3, *NOT_ONCE, *CROSS_SECTION, *(OF_FRAMEWORKS if session.python in NEWEST else ()))


@nox.session
def uvloop(session: nox.Session) -> None:
    """A cross-section under uvloop, with what watches event loops and the servers on them."""
    where = (*CROSS_SECTION, "tests/serving", "tests/watching")
    run_pytest(session, OPENAI_3, *NOT_ONCE, *where, env={"STREAMTRACE_TEST_LOOP": "uvloop"})


@nox.session
def bare(session: nox.Session) -> None:
    """The built package with nothing to instrument: no AutoGen, no HTTP client."""
    session.install(".", "--group", "pytest")
    session.run("pytest", "tests/guest/test_bare.py", *session.posargs)


@nox.session
@nox.parametrize("openai", [nox.param(OPENAI_3, id="openai3"), nox.param(OPENAI_1, id="openai1")])
def autogen(session: nox.Session, openai: str) -> None:
    """AutoGen's own tests, bare and watched, from a copy of its repository: nox -s "autogen(openai3)" -- PATH."""
    session.install("--editable", ".", "--group", "autogen", openai)
    session.run("python", "tools/autogen_tests.py", *session.posargs)


@nox.session
@nox.parametrize("mcp", [nox.param(("mcp>=2",), id="mcp2"), nox.param(("mcp<2", BEFORE_MCP_2), id="mcp1")])
def agent_framework(session: nox.Session, mcp: tuple[str, ...]) -> None:
    """The tests of Agent Framework beside more of its packages, with `mcp` 2, or 1 and the last that uses that."""
    session.install("--editable", ".", "--group", "agent-framework", "--prerelease=allow", OPENAI_3, *mcp)
    pytest(session, "tests/framework")


@nox.session
def agent_framework_own(session: nox.Session) -> None:
    """Agent Framework's own tests, bare and watched: nox -s agent_framework_own -- PATH, of a copy of its repository.

    The newest copy that is public may be older than the newest package: then its versions are installed here.
    """
    session.install("--editable", ".", "--group", "agent-framework-own")
    session.run("python", "tools/autogen_tests.py", *session.posargs)


@nox.session
def explore(session: nox.Session) -> None:
    """Property tests with examples that no run had before; the others choose the same ones each time."""
    session.install("--editable", ".", "--group", "test", OPENAI_3)
    pytest(session, "--ignore=tests/stack", "-m", "hypothesis", "--hypothesis-profile=explore")


@nox.session
def build(session: nox.Session) -> None:
    """Builds what is published, checks it, and lists what it brings along: -- TAG checks that it is the version's."""
    if session.posargs not in ([], [f"v{PROJECT['version']}"]):
        session.error(f"{session.posargs[0]} is not the tag of version {PROJECT['version']} in pyproject.toml")
    shutil.rmtree("dist", ignore_errors=True)
    Path("build").mkdir(exist_ok=True)
    session.install("build", "check-wheel-contents", "cyclonedx-bom", "twine", "uv")
    session.run("python", "-m", "build", "--installer=uv")
    session.run("twine", "check", "--strict", *map(str, Path("dist").iterdir()))
    wheel = str(next(Path("dist").glob("*.whl")))
    session.run("check-wheel-contents", wheel)
    session.run("uv", "venv", "--clear", "--quiet", "build/installed")
    session.run("uv", "pip", "install", "--quiet", "--python=build/installed", wheel)
    session.run(
        "cyclonedx-py",
        "environment",
        "--pyproject=pyproject.toml",
        "--output-file=build/sbom.cdx.json",
        "build/installed",
    )


@nox.session
def workflows(session: nox.Session) -> None:
    """Checks .github/ with zizmor, actionlint (built with Go) and the schemas of its files."""
    session.install("check-jsonschema>=0.39,<1", "zizmor>=1.32,<2")
    session.run("zizmor", "--offline", ".github")
    forms = [str(form) for form in Path(".github", "ISSUE_TEMPLATE").glob("*.yml") if form.stem != "config"]
    for schema, *files in (
        ("github-workflows", *map(str, Path(".github", "workflows").iterdir())),
        ("github-issue-forms", *forms),
        ("github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
        ("dependabot", ".github/dependabot.yml"),
        ("citation-file-format", "CITATION.cff"),
    ):
        session.run("check-jsonschema", f"--builtin-schema=vendor.{schema}", *files)
    if shutil.which("go"):
        session.run("go", "run", "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12", external=True)
    else:
        session.warn("Go is not installed (https://go.dev/dl): actionlint checks nothing")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzzes what is read of a model's reply, for an hour or as long as `-- -max_total_time=SECONDS` says."""
    session.install("--editable", ".", "--group", "fuzz")
    corpus = Path("build", "corpus")
    corpus.mkdir(parents=True, exist_ok=True)
    limits = session.posargs or ["-max_total_time=3600"]
    session.run("python", "fuzz/wire.py", "-dict=fuzz/wire.dict", "-max_len=4096", *limits, str(corpus), "fuzz/seeds")


@nox.session
def semantic_kernel(session: nox.Session) -> None:
    """Semantic Kernel's adapter, which brings SciPy, pandas and much else that no other test needs."""
    session.install("--editable", ".", "--group", "test", "autogen-ext[semantic-kernel-core]~=0.7.5", OPENAI_3)
    session.run(
        "pytest", "-W", "default", "tests/classes/test_clients_semantic_kernel.py", *session.posargs
    )  # it warns a lot


@nox.session
def stack(session: nox.Session) -> None:
    """The whole way to the Collector, Prometheus and VictoriaLogs, which are built first where they are not yet."""
    session.install("--editable", ".", "--group", "test", "--group", "stack", "--group", "clickhouse", OPENAI_3)
    if shutil.which("go"):
        session.run("python", "tools/build.py")
    else:
        session.warn(
            "Go is not installed (https://go.dev/dl): the Collector, Prometheus and VictoriaLogs cannot be built"
        )
    install_debian(session, "prometheus-alertmanager", "prometheus-alertmanager", "alertmanager")
    # They wait more than they work, and a file's tests share servers: four files at a time, the longest first.
    parallel = ("--numprocesses=4", "--dist=loadfile", "--no-loadscope-reorder")
    session.run("pytest", *parallel, "tests/stack", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Two hundred processes that are killed at random moments under load; a few minutes."""
    session.install("--editable", ".", "--group", "test", OPENAI_3)
    environment = {"STREAMTRACE_SOAK_ROUNDS": os.environ.get("STREAMTRACE_SOAK_ROUNDS", "200")}
    session.run("pytest", "tests/recorder/test_soak.py", *session.posargs, env=environment)


@nox.session
def proxies(session: nox.Session) -> None:
    """What `diagnose` says of real deployments, of all proxies that are installed; some minutes."""
    session.install("--editable", ".", "--group", "test", OPENAI_3)
    session.run("pytest", "tests/proxies", *session.posargs, env={"STREAMTRACE_PROXIES": "1"})


@nox.session
def certainty(session: nox.Session) -> None:
    """How sure `diagnose` is and how often it is right, over ten thousand mixtures of causes; some minutes."""
    session.install("--editable", ".", "--group", "test", OPENAI_3)
    environment = {"STREAMTRACE_MIXTURES": os.environ.get("STREAMTRACE_MIXTURES", "10000")}
    quiet = ("-s", "-o", "faulthandler_timeout=0")  # it takes longer than any test may hang
    session.run("pytest", *quiet, "tests/commands/test_diagnose_certainty.py", *session.posargs, env=environment)


@nox.session
def bench(session: nox.Session) -> None:
    """What watching costs, beside its peers: writes docs/costs.md; some minutes."""
    session.install("--editable", ".[demo,frameworks]", "--group", "bench", OPENAI_3)
    session.run("python", "bench/readme.py", *session.posargs)
    session.run("python", "bench/framework.py", "--write", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """A real agent and a real team against a model server that cuts its streams."""
    session.install("--editable", ".[demo]")
    session.run("autogen-streamtrace", "demo", *session.posargs)


@nox.session(python=None if sys.version_info >= (3, 11) else "3.11")
def dashboards(session: nox.Session) -> None:
    """Writes dashboards/ anew: the dashboards, the rules and the alerts. `-- --runbooks URL` says where those are."""
    session.install("--editable", ".", "--group", "dashboards")
    session.chdir("dashboards")
    session.run("python", "-m", "boards", *session.posargs)


@nox.session(python=None if sys.version_info >= (3, 11) else "3.11")
def docs(session: nox.Session) -> None:
    """Builds the documentation as a site, into build/site or the folder that `-- FOLDER` names."""
    session.install("--editable", ".[chaos,demo,ui]", "--group", "docs", "--group", "dashboards")
    target = Path(*session.posargs or ["build/site"]).resolve()
    session.chdir("tools")
    session.run("python", "-m", "docsite", str(target))


@nox.session
def pictures(session: nox.Session) -> None:
    """Makes the pictures of README and docs anew: the demo, the page of `ui`, `top`, a diagnosis, the dashboards."""
    session.install("--editable", ".", "--group", "test", "--group", "dashboards", OPENAI_3)
    session.run("python", "docs/pictures.py")
    session.run("python", "docs/live_pictures.py")
    session.run("python", "tools/build.py")
    session.run("python", "tools/panels")
