#!/usr/bin/env bash
# Makes this machine able to build and run Plumb: system packages, Rust, and the ONNX Runtime library.
#
#   deploy/setup.sh             what `make demo` needs
#   deploy/setup.sh --test      and what `make test` and `make lint` need, --openvino among it on x86-64
#   deploy/setup.sh --openvino  and the ONNX Runtime that has Intel's OpenVINO, for devices `openvino:…`; x86-64
#   deploy/setup.sh --check     (also with the others) changes nothing, says what is missing; exit 1 if anything is
#
# Says what it does, does nothing twice, asks for no answer. Debian 12 or later, Ubuntu 24.04 or later; x86-64 and
# arm64; as root or as a user with sudo. Everything outside the system's packages goes into .plumb/ of this folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ort_version=1.32.0
openvino_ort_version=1.24.1
# Of the wheel's OpenVINO only what a session needs, with the processor's, the graphics' and the neural unit's plugins.
openvino_files=(
    libonnxruntime_providers_openvino.so libonnxruntime_providers_shared.so
    libopenvino.so.2541 libopenvino_onnx_frontend.so.2541
    libopenvino_intel_cpu_plugin.so libopenvino_intel_gpu_plugin.so libopenvino_intel_npu_plugin.so
    libtbb.so.12 libtbbmalloc.so
)
packages=(
    build-essential pkg-config curl unzip iproute2 python3 python3-venv
    clang libclang-dev libopencv-dev
    libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libgstrtspserver-1.0-dev
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav
    gstreamer1.0-rtsp gstreamer1.0-tools aravis-tools
)
# prometheus brings promtool; systemd brings systemd-analyze, and is not started by being installed.
test_packages=(prometheus shellcheck systemd)
cargo_deb_version=3.8.0

main() {
    check=false test=false openvino=false
    for argument in "$@"; do
        case $argument in
            --check) check=true ;;
            --test) test=true ;;
            --openvino) openvino=true ;;
            -h | --help) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit 0 ;;
            *) fail "'$argument' is not an option; there are --test, --openvino, --check and --help" 2 ;;
        esac
    done
    missing=0
    if $test; then
        packages+=("${test_packages[@]}")
        # Ubuntu's chromium is a snap, which not every machine takes; tests that want a browser say there that they have none.
        if is_debian && ! command -v chromium >/dev/null; then packages+=(chromium); fi
        # Whoever has Node.js from elsewhere keeps it; Debian's would not install beside it.
        if ! command -v npm >/dev/null; then packages+=(nodejs npm); fi
    fi
    look_at_machine
    if ! $check; then trap clean_up EXIT; fi
    system_packages
    rust
    onnxruntime_library
    if $test && [[ $wheel_platform == *x86_64 ]]; then openvino=true; fi
    if $openvino; then openvino_library; fi
    if $test; then
        venv .plumb/venv deploy/test-python.txt "the tests' Python packages"
        # MLServer 1.7 asks for Python before 3.13. It is pure Python, and runs on what is here.
        venv .plumb/mlserver-venv deploy/test-mlserver.txt "MLServer for the tests (92 MB)" --ignore-requires-python
    fi
    if $test; then node_packages; fi
    if $test; then cargo_deb; fi
    if $check; then
        if ((missing)); then say "$missing missing; deploy/setup.sh${test_flag:-} brings what it can" && exit 1; fi
        say "all is there"
    fi
}

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$1" >&2
    exit "${2:-1}"
}
show_and_fail() {
    tail -n 15 "$1" >&2
    fail "$2"
}
lacks() { say "missing: $*" && missing=$((missing + 1)); }

is_debian() { grep -qx 'ID=debian' /etc/os-release 2>/dev/null; }

# Which machine is this, and can Plumb be built on it at all?
look_at_machine() {
    if $test; then
        test_flag=" --test"
    elif $openvino; then
        test_flag=" --openvino"
    fi
    case $(uname -s)-$(uname -m) in
        Linux-x86_64)
            wheel_platform=manylinux_2_28_x86_64
            openvino_ort_sha256=c7b0590c7825f7029ba17e20a5dea27f7f570d8241d60584caacd363648aa8e2
            ort_sha256=6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f
            ;;
        Linux-aarch64 | Linux-arm64)
            wheel_platform=manylinux_2_28_aarch64
            ort_sha256=49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a
            ;;
        *) fail "this is $(uname -s) on $(uname -m); Plumb runs on Linux on x86-64 or arm64" ;;
    esac
    command -v dpkg-query apt-get >/dev/null ||
        fail "there is no apt here; use Debian 12 or later or Ubuntu 24.04 or later, or install by hand what deploy/setup.sh lists"
    local ID=unknown VERSION_ID=0 PRETTY_NAME=unknown
    # shellcheck source=/dev/null
    if [[ -r /etc/os-release ]]; then . /etc/os-release; fi
    local least=0
    case $ID in
        debian) least=12 ;;
        ubuntu) least=24.04 ;;
        *) say "$PRETTY_NAME was not tried; going on as on Debian" ;;
    esac
    # GStreamer 1.22 is what decides: Debian 11 and Ubuntu 22.04 have an older one. (Debian testing has no VERSION_ID.)
    if [[ ${VERSION_ID:-0} != 0 ]] && dpkg --compare-versions "${VERSION_ID}" lt "$least"; then
        fail "$PRETTY_NAME has a GStreamer older than 1.22, which Plumb needs; use Debian 12 or later or Ubuntu 24.04 or later"
    fi
    # Run as `sudo deploy/setup.sh`, what we make in the folder still belongs to its owner.
    owner=$(stat -c %u:%g .)
    owner_home=$(getent passwd "${owner%:*}" | cut -d: -f6) || owner_home=
}

can_be_root() { ((EUID == 0)) || command -v sudo >/dev/null; }

# Runs a command as root.
as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "not root and no sudo here; run deploy/setup.sh${test_flag:-} as root first"
    fi
}

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

node_packages() {
    local lock=deploy/test-node/package-lock.json
    if cmp --silent $lock .plumb/node/package-lock.json && [[ -d .plumb/node/node_modules ]]; then return; fi
    if $check; then lacks "Node.js packages of $lock in .plumb/node" && return; fi
    say "installing the tests' Node.js packages into .plumb/node"
    mkdir -p .plumb/node
    cp deploy/test-node/package.json .plumb/node/
    rm -rf .plumb/node/node_modules .plumb/node/package-lock.json
    local log=.plumb/npm.log
    # The lock file stays only where all the packages are there.
    if ! (cp $lock .plumb/node/ && cd .plumb/node && npm ci --no-audit --no-fund --ignore-scripts) >$log 2>&1; then
        rm -f .plumb/node/package-lock.json
        show_and_fail $log "npm could not install them; check the network and npm's settings, then run this again"
    fi
}

system_packages() {
    local absent=() package
    for package in "${packages[@]}"; do
        installed "$package" || absent+=("$package")
    done
    if ((${#absent[@]})); then
        if $check; then
            for package in "${absent[@]}"; do lacks "system package $package"; done
            return
        fi
        install_packages "${absent[@]}"
    fi
    if ! pkg-config --atleast-version=1.22 gstreamer-1.0; then
        fail "GStreamer here is $(pkg-config --modversion gstreamer-1.0), Plumb needs 1.22; use Debian 12 or later or Ubuntu 24.04 or later"
    fi
}

install_packages() {
    local log=.plumb/apt.log
    mkdir -p .plumb
    say "installing system packages (some minutes; $log has the details): $*"
    if [[ " $* " == *" prometheus "* ]]; then keep_services_stopped; fi
    as_root apt-get update -qq >"$log" 2>&1 ||
        show_and_fail "$log" "apt-get update did not work (see above); check the network and the machine's package sources, then run this again"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=120 "$@" >>"$log" 2>&1 ||
        show_and_fail "$log" "apt-get could not install what it should (see above); run this again when that is mended"
    if [[ " $* " == *" prometheus "* ]]; then
        # Tests start their own. The one of the package would scrape and fill a disk from the next boot on.
        if command -v systemctl >/dev/null; then as_root systemctl disable --quiet prometheus.service || true; fi
        say "prometheus is installed for the tests; its service is neither started nor enabled"
    fi
}

# Debian's packages start their service when installed, unless this file says no. An existing one is left to decide.
keep_services_stopped() {
    policy=/usr/sbin/policy-rc.d
    if [[ -e $policy ]]; then return; fi
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    our_policy=$policy
}

clean_up() {
    if [[ -n ${our_policy:-} ]]; then as_root rm -f "$our_policy"; fi
    if [[ -n ${scratch:-} ]]; then rm -rf "$scratch"; fi
    if ((EUID == 0)) && [[ -d .plumb ]]; then chown -R "$owner" .plumb; fi
}

# `apt-cache show` also succeeds for a name that others merely mention.
has_rustup_package() { [[ $(LC_ALL=C apt-cache policy rustup) == *"Candidate: "[!\(]* ]]; }

# cargo runs rustup, which fetches the version that rust-toolchain.toml names when it is first needed.
rust() {
    local channel least
    channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
    least=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    PATH=$PATH:$HOME/.cargo/bin:$owner_home/.cargo/bin
    if ! command -v cargo >/dev/null; then
        if $check; then lacks "Rust $channel" && return; fi
        # Package lists were not fetched if nothing else was missing.
        if ! has_rustup_package && can_be_root; then as_root apt-get update -qq || true; fi
        has_rustup_package ||
            fail "there is no Rust here and this system has no package for it; install it with rustup (see rust-lang.org), then run this again"
        install_packages rustup
    fi
    if command -v rustup >/dev/null && [[ -z ${SUDO_USER:-} ]]; then
        if [[ $'\n'$(rustup toolchain list 2>/dev/null) != *$'\n'"$channel-"* ]]; then
            if $check; then lacks "Rust $channel (rustup is there)" && return; fi
            say "installing Rust $channel with rustup"
            rustup toolchain install "$channel" --profile minimal --component rustfmt --component clippy >&2 ||
                fail "rustup could not install Rust $channel; check the network, or install it by hand, then run this again"
        fi
    elif ! command -v rustup >/dev/null; then
        local found
        found=$(cargo --version | cut -d' ' -f2)
        if dpkg --compare-versions "$found" lt "$least"; then
            if $check; then lacks "Rust $least or later (found $found)" && return; fi
            fail "Rust here is $found, Plumb needs $least or later; install it with rustup (see rust-lang.org)"
        fi
    fi
}

# What packs deploy/debian; built from its sources, as cargo does.
cargo_deb() {
    local program=.plumb/cargo/bin/cargo-deb
    if [[ -x $program && $("$program" --version) == *"$cargo_deb_version"* ]]; then return; fi
    if $check; then lacks "cargo-deb $cargo_deb_version in .plumb/cargo" && return; fi
    say "building cargo-deb $cargo_deb_version into .plumb/cargo (a minute or two)"
    local log=.plumb/cargo-deb.log
    mkdir -p .plumb
    cargo install --quiet --locked --version "$cargo_deb_version" --no-default-features --features lzma \
        --root .plumb/cargo cargo-deb >"$log" 2>&1 ||
        show_and_fail "$log" "cargo-deb could not be built (see above); check the network, then run this again"
}

has_digest() { [[ -r $1 ]] && echo "$2  $1" | sha256sum --check --status; }

# Out of the Python wheel: the one way to get the library from a registry for both kinds of processor.
onnxruntime_library() {
    local library=.plumb/lib/libonnxruntime.so.$ort_version
    if has_digest "$library" "$ort_sha256"; then return; fi
    if $check; then lacks "ONNX Runtime $ort_version in $library" && return; fi
    say "fetching ONNX Runtime $ort_version into $library"
    wheel onnxruntime "put libonnxruntime.so.$ort_version into .plumb/lib by hand"
    unzip -q -j "$scratch"/onnxruntime-*.whl "onnxruntime/capi/libonnxruntime.so.$ort_version" -d "$scratch"
    has_digest "$scratch/libonnxruntime.so.$ort_version" "$ort_sha256" ||
        fail "the library in the wheel is not the one deploy/setup.sh knows; if the version was raised, correct its digests there"
    mkdir -p .plumb/lib
    mv "$scratch/libonnxruntime.so.$ort_version" "$library" # whole or not at all
    rm -rf "$scratch"
}

# A build of its own, in a folder of its own: one process loads either this or the one above.
openvino_library() {
    local folder=.plumb/lib/openvino library=libonnxruntime.so.$openvino_ort_version
    [[ $wheel_platform == *x86_64 ]] || fail "OpenVINO's ONNX Runtime comes for x86-64 alone; leave --openvino out" 2
    if [[ -r $folder/sha256sums ]] && (cd "$folder" && sha256sum --check --status sha256sums) &&
        has_digest "$folder/$library" "$openvino_ort_sha256"; then return; fi
    if $check; then lacks "ONNX Runtime $openvino_ort_version with OpenVINO in $folder" && return; fi
    say "fetching ONNX Runtime $openvino_ort_version with OpenVINO into $folder (84 MB)"
    wheel onnxruntime-openvino "leave --openvino out: models then run on cpu"
    mkdir "$scratch/openvino"
    unzip -q -j "$scratch"/onnxruntime_openvino-*.whl "${openvino_files[@]/#/onnxruntime/capi/}" \
        "onnxruntime/capi/$library" -d "$scratch/openvino"
    has_digest "$scratch/openvino/$library" "$openvino_ort_sha256" ||
        fail "the library in the wheel is not the one deploy/setup.sh knows; if the version was raised, correct its digest and files there"
    # pip has compared the wheel with its digest; these are for the next run of this script.
    (cd "$scratch/openvino" && sha256sum -- * >sha256sums)
    mkdir -p .plumb/lib
    rm -rf "$folder"
    mv "$scratch/openvino" "$folder"
    rm -rf "$scratch"
}

# Fetches the wheel that deploy/$1.txt pins into a new folder $scratch; $2 is what to do where that is impossible.
wheel() {
    mkdir -p .plumb
    scratch=$(mktemp -d .plumb/setup.XXXXXX)
    python3 -m venv "$scratch/venv" || fail "python3 -m venv did not work (see above); is python3-venv whole?"
    "$scratch/venv/bin/pip" --disable-pip-version-check download --quiet --no-deps --require-hashes \
        --only-binary :all: --implementation cp --python-version 3.12 --abi cp312 --platform "$wheel_platform" \
        --dest "$scratch" -r "deploy/$1.txt" ||
        fail "$1 could not be fetched (see above); check the network and pip's settings, or $2"
}

# True if every package that file $2 pins is in venv $1, in that version.
venv_is_complete() {
    [[ -x $1/bin/python ]] && "$1/bin/python" - "$2" 2>/dev/null <<'PYTHON'
import importlib.metadata, sys
for line in open(sys.argv[1]):
    line = line.split("#")[0].strip()
    if line:
        name, version = line.split("==")
        assert importlib.metadata.version(name) == version
PYTHON
}

# venv FOLDER FILE WHAT [PIP OPTIONS]: the packages that FILE pins, in a Python environment of their own.
venv() {
    local folder=$1 file=$2 what=$3
    shift 3
    if venv_is_complete "$folder" "$file"; then return; fi
    if $check; then lacks "Python packages of $file in $folder" && return; fi
    say "installing $what into $folder"
    # A venv from before a system upgrade points to a Python that is gone.
    if ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then rm -rf "$folder"; fi
    mkdir -p .plumb
    python3 -m venv "$folder" || fail "python3 -m venv did not work (see above); is python3-venv whole?"
    "$folder/bin/pip" --disable-pip-version-check install --quiet "$@" -r "$file" ||
        fail "the Python packages of $file could not be installed (see above); check the network and pip's settings, then run this again"
}

main "$@"
