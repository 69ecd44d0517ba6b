#!/usr/bin/env bash
# Builds the Debian package of a station: target/debian/plumb_VERSION_ARCH.deb.
#
#   deploy/debian/build.sh               builds the release first
#   deploy/debian/build.sh --no-build    takes target/release/plumb as it is
#
# What goes where is said in pipeline/station/Cargo.toml; deploy/debian/test.sh looks at what came out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() {
    printf 'debian: %s\n' "$1" >&2
    exit "${2:-1}"
}

target=${CARGO_TARGET_DIR:-target}
PATH=$PWD/.plumb/cargo/bin:$PATH
release=$target/release
build=true
case ${1:-} in
    "") ;;
    --no-build) build=false ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit 0 ;;
    *) fail "'$1' is not an option; there are --no-build and --help" 2 ;;
esac
command -v cargo-deb >/dev/null || fail "cargo-deb is not installed; run deploy/setup.sh --test"
if $build; then cargo build --release --locked -p plumb-station; fi
[[ -x $release/plumb ]] || fail "$release/plumb is not there; leave --no-build out"

library=$(sed -n 's/^ort_version=//p' deploy/setup.sh)
library=.plumb/lib/libonnxruntime.so.$library
[[ -r $library ]] || fail "$library is not there; run deploy/setup.sh"

# What is made from the binary and from the sources, beside the binary, where cargo-deb looks for what was built.
made=$release/debian
rm -rf "$made"
mkdir -p "$made"
"$release/plumb" man | gzip -9n >"$made/plumb.1.gz"
for shell in bash zsh fish; do "$release/plumb" completions "$shell" >"$made/plumb.$shell"; done
gzip -9nc CHANGELOG.md >"$made/CHANGELOG.md.gz"
# Numbers of the build and paths of the machine that built it stay out of the package.
install -m 0644 "$library" "$made/"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
cargo deb --package plumb-station --no-build --locked --offline --quiet --output "$target/debian/" ||
    fail "cargo-deb did not make the package (see above)"
package=$(find "$target/debian" -name 'plumb_*.deb' -newer "$made/plumb.1.gz" | head -n 1)
printf 'debian: %s, %s bytes\n' "$package" "$(stat -c %s "$package")"
