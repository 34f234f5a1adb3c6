"""llama.cpp from the source package of llama-cpp-python, built the first time it is needed."""

import pathlib
import shutil
import subprocess
import sys
import tarfile

PACKAGE = "llama_cpp_python==0.3.36"

COMMON_FLAGS = [
    "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DGGML_OPENMP=ON", "-DLLAMA_CURL=OFF", "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_UI=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF",
]
AVX2_FLAGS = [
    "-DGGML_NATIVE=OFF", "-DGGML_AVX2=ON", "-DGGML_FMA=ON", "-DGGML_F16C=ON", "-DGGML_BMI2=ON",
    "-DLLAMA_BUILD_SERVER=OFF",
]
# How each build is configured, and which tools it needs.
BUILDS = {
    "native": (
        ["-DGGML_NATIVE=ON", "-DGGML_RPC=ON", "-DLLAMA_BUILD_SERVER=ON"],
        ["llama-bench", "llama-batched-bench", "llama-server", "ggml-rpc-server"],
    ),
    "avx2": (AVX2_FLAGS, ["llama-bench"]),
    "avxvnni": (AVX2_FLAGS + ["-DGGML_AVX_VNNI=ON"], ["llama-bench"]),
}


class Failure(Exception):
    """Something that the user can mend."""


def say(text):
    print(text, file=sys.stderr, flush=True)


class LlamaBuilds:
    """Where llama.cpp's tools are; builds what is missing."""

    def __init__(self, folder, given, jobs):
        self.folder = pathlib.Path(folder)
        self.given = given
        self.jobs = jobs

    def tool(self, build, name):
        given = self.given.get(build)
        path = pathlib.Path(given) if given else self.folder / build / "bin"
        if not (path / name).is_file():
            if given:
                raise Failure(f"{path} holds no {name}; name the bin folder of another build, or none to build one")
            self.make(build)
            if not (path / name).is_file():
                raise Failure(f"building llama.cpp made no {path / name}; see {self.folder / build}.log")
        return str(path / name)

    def make(self, build):
        for program, package in (("cmake", "cmake"), ("ninja", "ninja-build")):
            if not shutil.which(program):
                raise Failure(f"{program} is needed to build llama.cpp: apt-get install {package}")
        flags, tools = BUILDS[build]
        target = self.folder / build
        say(f"Building llama.cpp ({build}) in {target}; this takes a while")
        command = ["cmake", "-S", str(self.source()), "-B", str(target), *COMMON_FLAGS, *flags]
        self.run_quietly(command, target)
        self.run_quietly(["cmake", "--build", str(target), "-j", str(self.jobs), "--target", *tools], target)

    def source(self):
        """The source of llama.cpp, unpacked from the package."""
        folders = sorted(self.folder.glob("llama_cpp_python-*/vendor/llama.cpp"))
        if folders:
            return folders[0]
        self.folder.mkdir(parents=True, exist_ok=True)
        say(f"Fetching the source package of {PACKAGE}")
        self.run_quietly(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "llama_cpp_python",
             "--dest", str(self.folder), PACKAGE], self.folder)
        archives = sorted(self.folder.glob("llama_cpp_python-*.tar.gz"))
        if not archives:
            raise Failure(f"pip left no source package in {self.folder}")
        with tarfile.open(archives[0]) as archive:
            root = self.folder.resolve()
            for member in archive.getmembers():
                if not (root / member.name).resolve().is_relative_to(root) or member.isdev():
                    raise Failure(f"{archives[0]}: {member.name} would lie outside the folder")
            archive.extractall(self.folder)
        return sorted(self.folder.glob("llama_cpp_python-*/vendor/llama.cpp"))[0]

    @staticmethod
    def run_quietly(command, folder):
        """Runs a command; its output goes to a file beside what it makes, and is shown when it fails."""
        log = folder.parent / f"{folder.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "a") as output:
            status = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT).returncode
        if status != 0:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise Failure(f"{' '.join(command)} failed; the end of {log}:\n{tail}")
