"""The compiled modules: every mxcy/**/*.pyx, with what each needs beyond the defaults.

Metadata is in pyproject.toml. Objects are kept in build/objects and made again only when their
command, their source or a header they include has changed, so one edit costs one compilation.

    python setup.py build_ext --inplace

MXCY_DEBUG=1 makes a checked build; MXCY_SANITIZE=thread (or address, undefined) an instrumented one.
"""

import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ENGINE = ("cores", "engine", "failures", "forks", "fusion", "links", "pool", "workers", "workspace")

# C++ files linked into a module beside its own translation.
SOURCES = {
    "mxcy._engine": [f"mxcy/native/{name}.cpp" for name in ENGINE],
    "mxcy._cast": ["mxcy/native/cast.cpp"],
    "mxcy.kernels.cuda.blas": ["mxcy/native/cublas.cpp"],
    "mxcy._gpu": ["mxcy/native/cuda_driver.cpp", "mxcy/native/device.cpp"],
    "mxcy._reduce": ["mxcy/native/folds.cpp"],
    "mxcy.kvstore.dist._streams": ["mxcy/native/streams.cpp"],
    "mxcy._loops": [
        "mxcy/native/activations.cpp",
        "mxcy/native/loops.cpp",
        "mxcy/native/product_sums.cpp",
        "mxcy/native/products.cpp",
        "mxcy/native/float_products.cpp",
        "mxcy/native/thin_products.cpp",
    ],
    "mxcy.kernels.cpu.convolution": [
        "mxcy/kernels/cpu/convolution.cpp",
        "mxcy/kernels/cpu/convolution_weight.cpp",
        "mxcy/kernels/cpu/grouped.cpp",
        "mxcy/kernels/cpu/winograd.cpp",
        "mxcy/kernels/cpu/winograd_lanes.cpp",
        "mxcy/kernels/cpu/winograd_weight.cpp",
    ],
    "mxcy.kernels.cpu.copying": ["mxcy/kernels/cpu/copying.cpp"],
    "mxcy.kernels.cpu.bilinear": ["mxcy/kernels/cpu/bilinear.cpp", "mxcy/kernels/cpu/corners.cpp"],
    "mxcy.kernels.cpu.ctc": ["mxcy/kernels/cpu/ctc.cpp"],
    "mxcy.kernels.cpu.detection": ["mxcy/kernels/cpu/box_coding.cpp", "mxcy/kernels/cpu/multibox.cpp"],
    "mxcy.kernels.cpu.displaced": ["mxcy/kernels/cpu/correlation.cpp", "mxcy/kernels/cpu/deformed.cpp"],
    "mxcy.kernels.cpu.hawkes": ["mxcy/kernels/cpu/hawkes.cpp"],
    "mxcy.kernels.cpu.images": ["mxcy/kernels/cpu/images.cpp"],
    "mxcy.kernels.cpu.jpeg": ["mxcy/kernels/cpu/jpeg.cpp"],
    "mxcy.kernels.cpu.indexing": ["mxcy/kernels/cpu/indexing.cpp", "mxcy/kernels/cpu/scatter_add.cpp"],
    "mxcy.kernels.cpu.batch_norm": ["mxcy/kernels/cpu/batch_norm.cpp"],
    "mxcy.kernels.cpu.planes": ["mxcy/kernels/cpu/resample.cpp", "mxcy/kernels/cpu/unfold.cpp"],
    "mxcy.kernels.cpu.pictures": ["mxcy/kernels/cpu/pictures.cpp"],
    "mxcy.kernels.cpu.pooling": ["mxcy/kernels/cpu/pooling.cpp"],
    "mxcy.kernels.cpu.regions": [
        "mxcy/kernels/cpu/boxes.cpp",
        "mxcy/kernels/cpu/regions_pooled.cpp",
        "mxcy/kernels/cpu/regions_positioned.cpp",
    ],
    "mxcy.kernels.cpu.rnn_cells": ["mxcy/kernels/cpu/rnn_cells.cpp"],
    "mxcy.kernels.cpu.row_norm": ["mxcy/kernels/cpu/row_norm.cpp"],
    "mxcy.kernels.cpu.matrices": ["mxcy/kernels/cpu/matrices.cpp"],
    "mxcy.kernels.cpu.random": ["mxcy/kernels/cpu/random.cpp"],
    "mxcy.kernels.cpu.sequence": ["mxcy/kernels/cpu/sequence.cpp"],
    "mxcy.kernels.cpu.sampling": ["mxcy/kernels/cpu/sampling.cpp"],
    "mxcy.kernels.cpu.softmax": ["mxcy/kernels/cpu/softmax.cpp", "mxcy/kernels/cpu/softmax_output.cpp"],
    "mxcy.kernels.cpu.sparse": ["mxcy/kernels/cpu/sparse.cpp", "mxcy/kernels/cpu/sparse_product.cpp"],
    "mxcy.kernels.cpu.sorting": ["mxcy/kernels/cpu/sorting.cpp"],
}

# Optimisation of a module's translation. Glue is not worth the compile time of more than -O1.
GLUE = "-O1"
LEVELS = {
    "mxcy._engine": "-O2",
    "mxcy._array": "-O2",
    "mxcy._invoke": "-O2",
    "mxcy._replay": "-O2",
    "mxcy.ops._call": "-O2",
    "mxcy._pointwise": "-O3",
    "mxcy._fast_loops": "-O3",
    "mxcy._export": "-O2",
    "mxcy._index": "-O2",
    "mxcy.numpy._calls": "-O2",
    "mxcy.numpy._functions": "-O2",
    "mxcy.numpy._kinds": "-O2",
    "mxcy.numpy._lent": "-O2",
    "mxcy.numpy._small*": "-O2",
    "mxcy.numpy._ufunc": "-O2",
    "mxcy._reduce": "-O3",
    "mxcy._matmul": "-O3",
    "mxcy.graph.*": "-O2",
}
NATIVE = "-O3"  # of the files in SOURCES

# Libraries that are used where the compiler finds them: (what a program that needs them says, flags of the
# C++ files of the module, flags of its linking).
OPTIONAL = {
    "mxcy.kernels.cpu.jpeg": (
        "#include <cstdio>\n#include <jpeglib.h>\nint main() { return !jpeg_crop_scanline; }\n",
        ["-DMXCY_JPEG=1"],
        ["-ljpeg"],
    ),
}

# Files in SOURCES that are compiled once for each instruction set, as MXCY_ISA.
X86_ISAS = [("base", []), ("avx2", ["-march=x86-64-v3"]), ("avx512", ["-march=x86-64-v4"])]
ROUNDED = [(isa, [*flags, "-ffp-contract=off"]) for isa, flags in X86_ISAS]
MULTI_ISA = {
    "mxcy/native/activations.cpp": X86_ISAS,
    "mxcy/native/cast.cpp": X86_ISAS,
    "mxcy/native/folds.cpp": X86_ISAS,
    "mxcy/native/loops.cpp": X86_ISAS,
    "mxcy/native/product_sums.cpp": ROUNDED,
    "mxcy/native/products.cpp": X86_ISAS,
    "mxcy/native/float_products.cpp": X86_ISAS,
    "mxcy/native/streams.cpp": X86_ISAS,
    "mxcy/native/thin_products.cpp": X86_ISAS,
    "mxcy/kernels/cpu/batch_norm.cpp": X86_ISAS,
    "mxcy/kernels/cpu/pictures.cpp": X86_ISAS,
    "mxcy/kernels/cpu/pooling.cpp": X86_ISAS,
    "mxcy/kernels/cpu/rnn_cells.cpp": X86_ISAS,
    "mxcy/kernels/cpu/row_norm.cpp": X86_ISAS,
    "mxcy/kernels/cpu/convolution.cpp": X86_ISAS,
    "mxcy/kernels/cpu/convolution_weight.cpp": X86_ISAS,
    "mxcy/kernels/cpu/grouped.cpp": X86_ISAS,
    "mxcy/kernels/cpu/winograd.cpp": X86_ISAS,
    "mxcy/kernels/cpu/winograd_lanes.cpp": X86_ISAS,
    "mxcy/kernels/cpu/winograd_weight.cpp": X86_ISAS,
    "mxcy/kernels/cpu/random.cpp": X86_ISAS,
    "mxcy/kernels/cpu/softmax.cpp": X86_ISAS,
    "mxcy/kernels/cpu/sparse_product.cpp": X86_ISAS,
}

DEBUG = os.environ.get("MXCY_DEBUG", "0") not in ("", "0")
SANITIZE = os.environ.get("MXCY_SANITIZE", "")
VARIANT = "-".join(filter(None, [sys.implementation.cache_tag, "debug" if DEBUG else "release", SANITIZE]))
OBJECTS = Path("build/objects") / VARIANT
TRANSLATIONS = Path("build/cython") / VARIANT

# No vector crosses from one object to another, so a change of how they are passed is none of ours.
FLAGS = ["-std=c++17", "-fno-math-errno", "-fvisibility=hidden", "-pthread", "-Wno-psabi"]
INSTRUMENT = [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer"] if SANITIZE else []
DIRECTIVES = {
    "language_level": 3,
    "embedsignature": True,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
}


def workers():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def extensions():
    """One Extension per .pyx; a C++ file that no module lists is an oversight."""
    modules = {".".join(path.with_suffix("").parts): path for path in sorted(Path("mxcy").rglob("*.pyx"))}
    used = {source for name, listed in SOURCES.items() if name in modules for source in listed}
    missing = sorted(source for source in used if not Path(source).is_file())
    unused = sorted({path.as_posix() for path in Path("mxcy").rglob("*.cpp")} - used)
    if missing or unused:
        raise SystemExit(f"setup.py: SOURCES names missing files {missing} and leaves out {unused}")
    return [Extension(name, [path.as_posix(), *SOURCES.get(name, [])]) for name, path in modules.items()]


def level(module):
    return next((flag for pattern, flag in LEVELS.items() if fnmatch(module, pattern)), GLUE)


def variants(source):
    """(tag, flags) of each object made from a C++ file."""
    if source not in MULTI_ISA:
        return [("", [])]
    isas = MULTI_ISA[source] if platform.machine() in ("x86_64", "AMD64") else MULTI_ISA[source][:1]
    return [(isa, [*flags, f"-DMXCY_ISA={isa}", f"-DMXCY_ISA_{isa.upper()}=1"]) for isa, flags in isas]


def is_current(target, stamp, text, inputs):
    """Whether target was made by this command from inputs that are all there and not newer."""
    try:
        made = os.path.getmtime(target)
        return stamp.read_text() == text and all(os.path.getmtime(path) <= made for path in inputs)
    except OSError:
        return False


def included(listing):
    """Files in a dependency listing of the compiler."""
    if not listing.is_file():
        return [os.fspath(listing)]
    words = listing.read_text().replace("\\\n", " ").replace("\\ ", "\0").split()
    return [word.replace("\0", " ") for word in words[1:]]


class BuildExtensions(build_ext):
    """Translates all modules, compiles all files on all cores, longest first, and links."""

    def build_extensions(self):
        import numpy

        self.headers = [numpy.get_include(), "mxcy/native", "."]
        self.optional = {name: flags for name, (text, *flags) in OPTIONAL.items() if self.links(text, flags)}
        self.translate()
        jobs = [(ext.name, *job) for ext in self.extensions for job in self.compilations(ext)]
        jobs.sort(key=lambda job: -os.path.getsize(job[1]))
        with ThreadPoolExecutor(self.parallel or workers()) as pool:
            objects = list(pool.map(lambda job: self.compile(*job[1:]), jobs))
            list(pool.map(lambda ext: self.link(ext, jobs, objects), self.extensions))

    def links(self, text, flags):
        """Whether a program can be built with these flags for compiling and linking."""
        folder = Path("build/probe")
        folder.mkdir(parents=True, exist_ok=True)
        source = folder / "probe.cpp"
        source.write_text(text)
        made = ["-o", os.fspath(source.with_suffix(""))]
        command = [*self.compiler.compiler_so, *flags[0], os.fspath(source), *made, *flags[1]]
        return subprocess.run(command, capture_output=True).returncode == 0

    def translate(self):
        """Runs Cython where a source, or the way to translate it, has changed."""
        import Cython
        from Cython.Build import cythonize

        stamp = TRANSLATIONS / "settings"
        settings = f"{Cython.__version__} {DIRECTIVES}"
        TRANSLATIONS.mkdir(parents=True, exist_ok=True)
        sources = [Extension(ext.name, ext.sources[:1], language="c++") for ext in self.extensions]
        cythonize(
            sources,
            build_dir=os.fspath(TRANSLATIONS),
            nthreads=workers() if len(sources) > 1 else 0,
            compiler_directives=DIRECTIVES,
            force=bool(self.force) or not stamp.is_file() or stamp.read_text() != settings,
        )
        stamp.write_text(settings)

    def compilations(self, ext):
        """(source, tag, flags) of each object of a module."""
        translation, *native = ext.sources
        translation = (TRANSLATIONS / translation).with_suffix(".cpp").as_posix()
        yield translation, "", [level(ext.name)]
        found = self.optional.get(ext.name, ([], []))[0]
        for source in native:
            for tag, flags in variants(source):
                yield source, tag, [NATIVE, *flags, *found]

    def compile(self, source, tag, flags):
        optimisation = ["-O1", "-g", "-UNDEBUG", "-DMXCY_DEBUG=1"] if DEBUG else ["-g0"]
        flags = [*FLAGS, *flags, *optimisation, *INSTRUMENT]
        folder = OBJECTS / tag
        base = (folder / source).with_suffix("")
        target, stamp, listing = (base.with_suffix(suffix) for suffix in (".o", ".command", ".d"))
        text = " ".join([*self.compiler.compiler_so, *self.compiler.include_dirs, *self.headers, *flags])
        if self.force or not is_current(target, stamp, text, [source, *included(listing)]):
            print("compiling", source, tag, flush=True)
            stamp.unlink(missing_ok=True)
            self.compiler.compile(
                [source],
                output_dir=os.fspath(folder),
                include_dirs=self.headers,
                extra_postargs=[*flags, "-MMD", "-MF", os.fspath(listing)],
            )
            stamp.write_text(text)
        return os.fspath(target)

    def link(self, ext, jobs, objects):
        mine = [(job[2], made) for job, made in zip(jobs, objects, strict=True) if job[0] == ext.name]
        # Of an inline function in several objects the linker keeps the first: it must run on any processor.
        mine = [made for _, made in sorted(mine, key=lambda pair: pair[0] not in ("", "base"))]
        path = self.get_ext_fullpath(ext.name)
        stamp = Path("build/objects") / f"{ext.name}.link"  # one for all variants, as there is one path
        libraries = self.optional.get(ext.name, ([], []))[1]
        text = " ".join([path, *mine, *libraries])
        if self.force or not is_current(path, stamp, text, mine):
            stamp.unlink(missing_ok=True)
            # A process may have the old file mapped; it keeps it if the new one is another file.
            Path(path).unlink(missing_ok=True)
            self.compiler.link_shared_object(
                mine, path, extra_postargs=["-pthread", "-ldl", *libraries, *INSTRUMENT], target_lang="c++"
            )
            stamp.write_text(text)


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExtensions})
