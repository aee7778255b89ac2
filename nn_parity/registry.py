"""Names -> specs, implementations and versions. Nothing heavy is imported by name here."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module, metadata, util
from pkgutil import iter_modules
from types import ModuleType

from nn_parity import specs
from nn_parity.errors import Refusal
from nn_parity.protocol import Adapter, Case, Spec
from nn_parity.suggest import nearest

PACKAGES = {
    "scratch": "scratch",
    "torch": "torch_impl",
    "keras": "keras_impl",
    "jax": "jax_impl",
}
FRAMEWORKS = tuple(PACKAGES)
BACKENDS = {  # Keras on others than its TensorFlow: they take part only if named
    "keras-jax": "jax",
    "keras-torch": "torch",
}
ALL = (*FRAMEWORKS, *BACKENDS)
ALIASES = {
    "numpy": "scratch",
    "np": "scratch",
    "pytorch": "torch",
    "tf": "keras",
    "tensorflow": "keras",
    "flax": "jax",
}
# what must be importable, and the distributions whose versions are printed
_NEEDS = {
    "scratch": ("numpy",),
    "torch": ("torch",),
    "keras": ("keras", "tensorflow"),
    "jax": ("jax", "optax"),
    "keras-jax": ("keras", "jax"),
    "keras-torch": ("keras", "torch"),
}
_DISTRIBUTIONS = {
    "scratch": ("numpy",),
    "torch": ("torch",),
    "keras": ("keras", "tensorflow-cpu", "tensorflow"),
    "jax": ("jax", "optax"),
    "keras-jax": ("keras", "jax"),
    "keras-torch": ("keras", "torch"),
}


def networks() -> tuple[str, ...]:
    """Names of all networks: the modules of `nn_parity.specs`."""
    return tuple(module.name for module in iter_modules(specs.__path__))


def spec(network: str) -> Spec:
    """Return what a network is; `Refusal` E001 if there is none of that name."""
    if network not in networks():
        raise Refusal(
            "E001",
            f"no network '{network}'",
            f"networks are {', '.join(networks())}",
            nearest(network, networks()) or "see nn-parity list",
        )
    return import_module(f"nn_parity.specs.{network}").SPEC


def canonical(
    names: str | Sequence[str] | None, among: Sequence[str] = ALL
) -> tuple[str, ...]:
    """Framework names and aliases, "a,b" or a sequence, as short names in table order."""
    if names is None:
        return FRAMEWORKS
    if isinstance(names, str):
        names = tuple(name.strip() for name in names.split(",") if name.strip())
    chosen = set()
    for name in names:
        short = ALIASES.get(name.lower(), name.lower())
        if short not in among:
            known = (*among, *ALIASES)
            raise Refusal(
                "E002",
                f"no framework '{name}'",
                f"frameworks are {', '.join(among)}",
                nearest(name.lower(), known) or "see nn-parity list",
            )
        chosen.add(short)
    if not chosen:
        raise Refusal(
            "E003", "no framework selected", "--frameworks", "name at least one"
        )
    return tuple(name for name in ALL if name in chosen)


def missing(framework: str) -> tuple[str, ...]:
    """Modules a framework needs and this environment lacks; imports none of them."""
    return tuple(name for name in _NEEDS[framework] if not _found(name))


def _found(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except (ImportError, ValueError):  # an import hook refuses it, or it is half there
        return False


def versions(framework: str) -> dict[str, str]:
    """Return installed distributions of a framework and their versions."""
    found = {}
    for name in _DISTRIBUTIONS[framework]:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def install_line(framework: str) -> str:
    """How to install a framework, in the project's folder."""
    extras = framework.replace("-", ",")  # keras-jax needs both
    return f'pip install -c constraints.txt ".[{extras}]"'


def package(framework: str) -> str:
    """Return the package that implements a framework."""
    return PACKAGES["keras" if framework in BACKENDS else framework]


def network_module(framework: str, network: str) -> ModuleType:
    """Import one network of one implementation."""
    return import_module(f"{package(framework)}.{network}")


def build(framework: str, case: Case, *, dtype: str) -> Adapter:
    """Import an implementation and build the adapter of a case."""
    adapter = import_module(f"{package(framework)}.adapter").Adapter
    module = network_module(framework, case.network)
    return adapter(module, case.sizes, case.recipe, dtype=dtype)
